"""PyTorch's side of the parity bench: `python pytorch.py CASE THREADS`, where CASE is the JSON of a `Work`.

Asked by the conductor (tests/benches/parity) line by line; see its talk.rs for what is said. Networks, training step,
test-time augmentation and data pipeline are what the official code of ST++ computes, written as it writes them.
"""

import json
import os
import random
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter, ImageOps
from torch import nn
from torchvision import transforms

IGNORE = 255


def resize(x, like):
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=True)


def scaled(base, width):
    return max(8, round(base * width))


# ResNet, as torchvision and the official `model/backbone/resnet.py` build it.


class Block(nn.Module):
    def __init__(self, bottleneck, inputs, inner, outputs, stride, dilation):
        super().__init__()
        three = dict(kernel_size=3, padding=dilation, dilation=dilation, bias=False)
        if bottleneck:
            convs = [
                nn.Conv2d(inputs, inner, 1, bias=False),
                nn.Conv2d(inner, inner, stride=stride, **three),
                nn.Conv2d(inner, outputs, 1, bias=False),
            ]
        else:
            convs = [nn.Conv2d(inputs, inner, stride=stride, **three), nn.Conv2d(inner, outputs, **three)]
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(conv.out_channels) for conv in convs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(outputs))

    def forward(self, x):
        out = x
        for number, (conv, norm) in enumerate(zip(self.convs, self.norms), 1):
            out = norm(conv(out))
            if number < len(self.convs):
                out = self.relu(out)
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, bottleneck, blocks, width, output_stride):
        super().__init__()
        inputs, reached, dilation = scaled(64, width), 4, 1
        self.stem = nn.Sequential(
            nn.Conv2d(3, inputs, 7, 2, 3, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        layers, self.channels = [], []
        for number in range(4):
            inner = scaled(64 << number, width)
            outputs = scaled((64 << number) * (4 if bottleneck else 1), width)
            before, stride = dilation, 1 if number == 0 else 2
            if reached * stride > output_stride:
                dilation, stride = dilation * stride, 1
            reached *= stride
            layer = []
            for index in range(blocks[number]):
                own = before if index == 0 and bottleneck else dilation
                layer.append(Block(bottleneck, inputs, inner, outputs, stride if index == 0 else 1, own))
                inputs = outputs
            layers.append(nn.Sequential(*layer))
            self.channels.append(outputs)
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        x = low = self.layers[0](self.stem(x))
        for layer in self.layers[1:]:
            x = layer(x)
        return low, x


# EfficientNet-Lite0: inverted residuals, ReLU6, no squeeze-and-excitation, TensorFlow's padding.


class SameConv2d(nn.Conv2d):
    """Pads as TensorFlow does: at stride 2 an even side gets its odd pixel of padding at the end."""

    def forward(self, x):
        pads = []
        for side, kernel, stride, dilation in zip(x.shape[-2:], self.kernel_size, self.stride, self.dilation):
            reach = (-(-side // stride) - 1) * stride + (kernel - 1) * dilation + 1
            pads.append(max(reach - side, 0))
        if all(pad % 2 == 0 for pad in pads):
            half = tuple(pad // 2 for pad in pads)
            return F.conv2d(x, self.weight, None, self.stride, half, self.dilation, self.groups)
        (top, bottom), (left, right) = ((pad // 2, pad - pad // 2) for pad in pads)
        x = F.pad(x, (left, right, top, bottom))
        return F.conv2d(x, self.weight, None, self.stride, 0, self.dilation, self.groups)


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, dilation, expand):
        super().__init__()
        inner = inputs * expand
        parts = []
        if expand != 1:
            parts += [nn.Conv2d(inputs, inner, 1, bias=False), norm(inner), nn.ReLU6(inplace=True)]
        depthwise = dict(stride=stride, dilation=dilation, groups=inner, bias=False)
        parts += [SameConv2d(inner, inner, kernel, **depthwise), norm(inner), nn.ReLU6(inplace=True)]
        parts += [nn.Conv2d(inner, outputs, 1, bias=False), norm(outputs)]
        self.parts = nn.Sequential(*parts)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.parts(x) if self.residual else self.parts(x)


class EfficientNetLite0(nn.Module):
    # Blocks, kernel, stride, expansion, output channels.
    STAGES = [
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    ]

    def __init__(self, output_stride):
        super().__init__()
        self.stem = nn.Sequential(SameConv2d(3, 32, 3, 2, bias=False), norm(32), nn.ReLU6(inplace=True))
        inputs, reached, dilation = 32, 2, 1
        stages = []
        for blocks, kernel, stride, expand, outputs in self.STAGES:
            before = dilation
            if reached * stride > output_stride:
                dilation, stride = dilation * stride, 1
            reached *= stride
            stage = []
            for index in range(blocks):
                first = index == 0
                own = before if first else dilation
                stage.append(Inverted(inputs, outputs, kernel, stride if first else 1, own, expand))
                inputs = outputs
            stages.append(nn.Sequential(*stage))
        self.stages = nn.ModuleList(stages)
        self.channels = [24, 320]

    def forward(self, x):
        x = low = self.stages[1](self.stages[0](self.stem(x)))
        for stage in self.stages[2:]:
            x = stage(x)
        return low, x


# DeepLabV3+, as the official `model/semseg/deeplabv3plus.py` builds it.


def unit(inputs, outputs, kernel, dilation=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU(True)]


class Pyramid(nn.Module):
    def __init__(self, inputs, outputs, rates):
        super().__init__()
        branches = [unit(inputs, outputs, 1)] + [unit(inputs, outputs, 3, rate) for rate in rates]
        self.branches = nn.ModuleList(nn.Sequential(*branch) for branch in branches)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), *unit(inputs, outputs, 1))
        self.project = nn.Sequential(*unit(5 * outputs, outputs, 1), nn.Dropout2d(0.5, False))

    def forward(self, x):
        seen = [branch(x) for branch in self.branches] + [resize(self.pool(x), x)]
        return self.project(torch.cat(seen, 1))


class DeepLabV3Plus(nn.Module):
    def __init__(self, backbone, width, output_stride, classes):
        super().__init__()
        self.backbone = backbone
        low, high = backbone.channels[0], backbone.channels[-1]
        pooled, reduced, fused = max(8, high // 8), scaled(48, width), scaled(256, width)
        rates = [12, 24, 36] if output_stride == 8 else [6, 12, 18]
        self.head = Pyramid(high, pooled, rates)
        self.reduce = nn.Sequential(*unit(low, reduced, 1))
        self.fuse = nn.Sequential(
            *unit(pooled + reduced, fused, 3), *unit(fused, fused, 3), nn.Dropout(0.1, False)
        )
        self.classifier = nn.Conv2d(fused, classes, 1)

    def forward(self, x):
        low, high = self.backbone(x)
        high = resize(self.head(high), low)
        return resize(self.classifier(self.fuse(torch.cat([self.reduce(low), high], 1))), x)


def network(net):
    width, stride = net["width"], net["output_stride"]
    backbones = {
        "resnet18": lambda: ResNet(False, [2, 2, 2, 2], width, stride),
        "resnet50": lambda: ResNet(True, [3, 4, 6, 3], width, stride),
        "efficientnet-lite0": lambda: EfficientNetLite0(stride),
    }
    return DeepLabV3Plus(backbones[net["backbone"]](), width, stride, net["classes"])


# The cases. Each returns a function that does one repetition.


def train(net, batch, side, optimiser):
    model = network(net).train()
    criterion = nn.CrossEntropyLoss(ignore_index=IGNORE)
    lr = optimiser.pop("lr")
    groups = [
        {"params": model.backbone.parameters(), "lr": lr},
        {"params": [p for n, p in model.named_parameters() if not n.startswith("backbone.")], "lr": lr * 10},
    ]
    sgd = torch.optim.SGD(groups, lr=lr, **optimiser)
    image = torch.randn(batch, 3, side, side)
    mask = torch.randint(0, net["classes"], (batch, side, side))
    mask[torch.rand(mask.shape) < 0.05] = IGNORE

    def step():
        loss = criterion(model(image), mask)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return loss.item()

    return step


def infer(net, batch, side):
    model = network(net).eval()
    image = torch.randn(batch, 3, side, side)

    def predict():
        with torch.no_grad():
            return model(image)

    return predict


def label(net, images, width, height, tta):
    model = network(net).eval()
    image = torch.randn(1, 3, height, width)

    def probabilities(x):
        out = F.softmax(model(x), dim=1)
        return F.interpolate(out, (height, width), mode="bilinear", align_corners=True)

    def one():
        total = None
        for scale in tta["scales"]:
            size = (int(height * scale), int(width * scale))
            x = F.interpolate(image, size=size, mode="bilinear", align_corners=True)
            views = [probabilities(x)]
            if tta["flip"]:
                views.append(probabilities(x.flip(3)).flip(3))
            for view in views:
                total = view if total is None else total + view
        return torch.argmax(total, dim=1)

    def all_images():
        with torch.no_grad():
            for _ in range(images):
                one()

    return all_images


def pipeline(images, base_size, crop, augment):
    weak, strong = augment["weak"], augment["strong"]
    root = os.path.join(os.environ["STPP_DATA"], "camvid")
    lines = open(os.path.join(root, "splits/train.txt")).read().splitlines()
    jitter = strong["jitter"]
    colour = transforms.ColorJitter(*(jitter[k] for k in ("brightness", "contrast", "saturation", "hue")))
    gray = transforms.RandomGrayscale(p=strong["grayscale"]["p"])
    tensor = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    )

    def resized(image, mask):
        long_side = random.randint(*(int(base_size * scale) for scale in weak["scale"]))
        width, height = image.size
        if height > width:
            size = (int(width * long_side / height + 0.5), long_side)
        else:
            size = (long_side, int(height * long_side / width + 0.5))
        return image.resize(size, Image.BILINEAR), mask.resize(size, Image.NEAREST)

    def cropped(image, mask):
        pad = (0, 0, max(crop - image.width, 0), max(crop - image.height, 0))
        image, mask = ImageOps.expand(image, border=pad, fill=0), ImageOps.expand(mask, border=pad, fill=IGNORE)
        x, y = random.randint(0, image.width - crop), random.randint(0, image.height - crop)
        box = (x, y, x + crop, y + crop)
        return image.crop(box), mask.crop(box)

    def cutout(image, mask):
        image, mask = np.array(image), np.array(mask)
        height, width, _ = image.shape
        while True:
            area = random.uniform(*strong["cutout"]["area"]) * height * width
            ratio = random.uniform(*strong["cutout"]["aspect"])
            w, h = int((area / ratio) ** 0.5), int((area * ratio) ** 0.5)
            x, y = random.randint(0, width), random.randint(0, height)
            if x + w <= width and y + h <= height:
                break
        image[y : y + h, x : x + w] = np.random.uniform(0, 255, (h, w, 3))
        mask[y : y + h, x : x + w] = IGNORE
        return Image.fromarray(image), Image.fromarray(mask)

    def one(line):
        image, mask = (os.path.join(root, name) for name in line.split())
        image, mask = Image.open(image).convert("RGB"), Image.open(mask)
        image, mask = cropped(*resized(image, mask))
        if random.random() < weak["flip"]:
            image, mask = (part.transpose(Image.FLIP_LEFT_RIGHT) for part in (image, mask))
        if random.random() < jitter["p"]:
            image = colour(image)
        image = gray(image)
        if random.random() < strong["blur"]["p"]:
            image = image.filter(ImageFilter.GaussianBlur(random.uniform(*strong["blur"]["sigma"])))
        if random.random() < strong["cutout"]["p"]:
            image, mask = cutout(image, mask)
        return tensor(image), torch.from_numpy(np.array(mask)).long()

    order = []

    def batch():
        made = []
        while len(made) < images:
            if not order:
                order.extend(lines)
                random.shuffle(order)
            made.append(one(order.pop()))
        return torch.stack([image for image, _ in made]), torch.stack([mask for _, mask in made])

    return batch


def resident(name):
    for line in open("/proc/self/status"):
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024


def main():
    case, threads = json.loads(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    before = resident("VmRSS")
    work = {"train": train, "infer": infer, "label": label, "pipeline": pipeline}[case.pop("work")]
    repetition = work(**case)
    print(f"ready {before} PyTorch {torch.__version__}", flush=True)
    for line in sys.stdin:
        if line.startswith("go"):
            start, cpu = time.perf_counter(), time.process_time()
            for _ in range(int(line.split()[1])):
                repetition()
            print(f"done {time.perf_counter() - start} {time.process_time() - cpu}", flush=True)
        else:
            print(f"peak {resident('VmHWM')}", flush=True)


if __name__ == "__main__":
    main()
