"""Nets that enlarge pictures, under the names of weights that Real-ESRGAN publishes."""

from pathlib import Path

from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from tests.fakes.checkpoints.seeding import seeded


class _Dense(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        for number in range(5):
            out = growth if number < 4 else features
            conv = nn.Conv2d(features + number * growth, out, 3, 1, 1)
            setattr(self, f"conv{number + 1}", conv)


class _Block(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        for number in (1, 2, 3):
            setattr(self, f"rdb{number}", _Dense(features, growth))


class Rrdb(nn.Module):
    """The weights of RealESRGAN_x4plus, with fewer features and blocks."""

    def __init__(self, features=8, blocks=1, growth=32):
        super().__init__()
        self.conv_first = nn.Conv2d(3, features, 3, 1, 1)
        self.body = nn.Sequential(*[_Block(features, growth) for _ in range(blocks)])
        for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
            setattr(self, name, nn.Conv2d(features, features, 3, 1, 1))
        self.conv_last = nn.Conv2d(features, 3, 3, 1, 1)


class Compact(nn.Module):
    """realesr-general-x4v3: convolutions, and what they find added to the picture itself."""

    def __init__(self, features=8, layers=2, factor=4):
        super().__init__()
        self.factor = factor
        body = [nn.Conv2d(3, features, 3, 1, 1), nn.PReLU(features)]
        for _ in range(layers):
            body += [nn.Conv2d(features, features, 3, 1, 1), nn.PReLU(features)]
        self.body = nn.ModuleList([*body, nn.Conv2d(features, 3 * factor**2, 3, 1, 1)])

    def forward(self, pixels):
        found = pixels
        for layer in self.body:
            found = layer(found)
        larger = functional.interpolate(pixels, scale_factor=self.factor, mode="nearest")
        return functional.pixel_shuffle(found, self.factor) + larger


class _Net:
    def __init__(self, net, name):
        self._net, self._name = net, name

    def save_pretrained(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True)
        save_file(self._net.state_dict(), folder / f"{self._name}.safetensors")


def compact(factor):
    net = seeded(Compact, factor=factor)
    for weight in net.parameters():  # close to plain enlargement, so that pictures are known again
        weight.data *= 0.2
    return net


CHECKPOINTS = {
    "real_esrgan": lambda: _Net(seeded(Rrdb), "RealESRGAN_x4plus"),
    "real_esrgan_video": lambda: _Net(compact(4), "realesr-general-x4v3"),
    "real_esrgan_x2": lambda: _Net(compact(2), "compact-x2"),
}
