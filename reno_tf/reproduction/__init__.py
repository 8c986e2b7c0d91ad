"""The paper's tables, figures and claims: which runs they are made of, and what comes out of them."""
