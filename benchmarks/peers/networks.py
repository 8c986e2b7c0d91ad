"""The networks in PyTorch, written from the papers, with module names that give the published state dicts."""

import math

from torch import nn
from torch.nn import functional


class Backbone(nn.Module):
    """Gives {"stage1", ..., "penultimate", "logits"} for normalised images [B, 3, H, W]."""

    def finish(self, x, outputs, head):
        outputs["penultimate"] = x.mean((2, 3))
        outputs["logits"] = head(outputs["penultimate"])
        return outputs


class Residual(nn.Module):
    """Basic block for two convolutions (channels, kernel, stride), bottleneck for three."""

    def __init__(self, inputs, convolutions, stride):
        super().__init__()
        self.depth, channels = len(convolutions), inputs
        for number, (outputs, kernel, step) in enumerate(convolutions, 1):
            convolution = nn.Conv2d(channels, outputs, kernel, step, kernel // 2, bias=False)
            setattr(self, f"conv{number}", convolution)
            setattr(self, f"bn{number}", nn.BatchNorm2d(outputs))
            channels = outputs
        self.downsample = None
        if stride != 1 or inputs != channels:
            projection = nn.Conv2d(inputs, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(channels))

    def forward(self, x):
        y = x
        for number in range(1, self.depth + 1):
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
            y = y.relu() if number < self.depth else y
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(Backbone):
    def __init__(self, depths, bottleneck, num_classes):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, 1)
        inputs = 64
        for stage, blocks in enumerate(depths):
            width, layer = 64 * 2**stage, []
            for number in range(blocks):
                stride = 2 if stage and not number else 1
                narrow = [(width, 3, stride), (width, 3, 1)]
                wide = [(width, 1, 1), (width, 3, stride), (4 * width, 1, 1)]
                layer.append(Residual(inputs, wide if bottleneck else narrow, stride))
                inputs = 4 * width if bottleneck else width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self.fc = nn.Linear(inputs, num_classes)

    def forward(self, x):
        x, outputs = self.pool(self.bn1(self.conv1(x)).relu()), {}
        for stage in range(1, 5):
            x = outputs[f"stage{stage}"] = getattr(self, f"layer{stage}")(x)
        return self.finish(x, outputs, self.fc)


def convolution(inputs, outputs, kernel, stride=1, groups=1):
    padded = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(padded, nn.BatchNorm2d(outputs), nn.ReLU6())


class InvertedResidual(nn.Module):
    def __init__(self, inputs, expansion, outputs, stride):
        super().__init__()
        wide = inputs * expansion
        expand = [convolution(inputs, wide, 1)] if expansion > 1 else []
        project = [nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*expand, convolution(wide, wide, 3, stride, groups=wide), *project)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.shortcut else self.conv(x)


class MobileNetV2(Backbone):
    def __init__(self, num_classes):
        super().__init__()
        features, inputs = [convolution(3, 32, 3, 2)], 32
        outputs = [16] + [24] * 2 + [32] * 3 + [64] * 4 + [96] * 3 + [160] * 3 + [320]
        for number, channels in enumerate(outputs):
            stride = 2 if number in (1, 3, 6, 13) else 1
            features.append(InvertedResidual(inputs, 6 if number else 1, channels, stride))
            inputs = channels
        self.features = nn.Sequential(*features, convolution(320, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, num_classes))

    def forward(self, x):
        outputs, tapped = {}, (3, 6, 10, 16, 18)
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in tapped:
                outputs[f"stage{tapped.index(number) + 1}"] = x
        return self.finish(x, outputs, self.classifier)


class SameConvolution(nn.Conv2d):
    """Pads as TensorFlow's SAME does: the odd pixel after."""

    def forward(self, x):
        padding = []
        for side, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            whole = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
            padding += [whole // 2, whole - whole // 2]
        return super().forward(functional.pad(x, padding))


def normalization(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class LiteBlock(nn.Module):
    def __init__(self, inputs, expansion, outputs, stride, kernel):
        super().__init__()
        wide = inputs * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = SameConvolution(inputs, wide, 1, bias=False), normalization(wide)
        self._depthwise_conv = SameConvolution(wide, wide, kernel, stride, groups=wide, bias=False)
        self._project_conv = SameConvolution(wide, outputs, 1, bias=False)
        self._bn1, self._bn2 = normalization(wide), normalization(outputs)
        self.expands, self.shortcut = expansion > 1, stride == 1 and inputs == outputs

    def forward(self, x):
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self._bn2(self._project_conv(functional.relu6(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.shortcut else y


class EfficientNetLite(Backbone):
    """rows: (channels, repeats) of the seven rows, those of the wider and deeper ones multiplied out."""

    def __init__(self, rows, num_classes):
        super().__init__()
        strides, kernels = (1, 2, 2, 2, 1, 2, 1), (3, 3, 5, 3, 5, 5, 3)
        self._conv_stem, self._bn0 = SameConvolution(3, 32, 3, 2, bias=False), normalization(32)
        blocks, inputs, self.tapped = [], 32, []
        for row, ((channels, repeats), stride, kernel) in enumerate(zip(rows, strides, kernels, strict=True)):
            for repeat in range(repeats):
                blocks.append(LiteBlock(inputs, 6 if row else 1, channels, 1 if repeat else stride, kernel))
                inputs = channels
            if row in (1, 2, 4, 5):
                self.tapped.append(len(blocks) - 1)
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = SameConvolution(inputs, 1280, 1, bias=False), normalization(1280)
        self._fc = nn.Linear(1280, num_classes)

    def forward(self, x):
        x, outputs = functional.relu6(self._bn0(self._conv_stem(x))), {}
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in self.tapped:
                outputs[f"stage{self.tapped.index(number) + 1}"] = x
        x = outputs["stage5"] = functional.relu6(self._bn1(self._conv_head(x)))
        return self.finish(x, outputs, self._fc)


_LITES = {
    "efficientnet_lite0": ((16, 1), (24, 2), (40, 2), (80, 3), (112, 3), (192, 4), (320, 1)),
    "efficientnet_lite1": ((16, 1), (24, 3), (40, 3), (80, 4), (112, 4), (192, 5), (320, 1)),
    "efficientnet_lite2": ((16, 1), (24, 3), (48, 3), (88, 4), (120, 4), (208, 5), (352, 1)),
}


def network(name: str, num_classes: int) -> nn.Module:
    if name in _LITES:
        return EfficientNetLite(_LITES[name], num_classes)
    if name == "mobilenet_v2":
        return MobileNetV2(num_classes)
    depths = {"18": (2, 2, 2, 2), "34": (3, 4, 6, 3), "50": (3, 4, 6, 3), "101": (3, 4, 23, 3)}
    depth = name.removeprefix("resnet")
    return ResNet(depths[depth], depth in ("50", "101"), num_classes)
