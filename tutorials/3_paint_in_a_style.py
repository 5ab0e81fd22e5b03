# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Paint in a style: what a network sees, and how to paint with it
#
# A network that was trained to name the things in photos can be used to compare pictures: by what
# is in them and where, or by their colours and strokes, wherever they are. We look at what such a
# network sees, rebuild a picture from that alone, make textures from a painting, and put the two
# together: a photo, painted like the painting. First by changing its pixels, at the end by a small
# network that learns to do it in one pass.
#
# You need `kerasadv` and its dependencies, and no pictures: a scene and a painting are drawn here,
# and yours can take their place (`PHOTO`, `PAINTING`). The weights of VGG19, 80 MB, are downloaded
# by Keras the first time. It takes about four minutes on two processor cores. As a script it writes
# its pictures into the folder `OUTPUT`; opened with jupytext it is a notebook that shows them.

# %%
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont
from scipy.optimize import Bounds, minimize

import kerasadv
import zoo
from kerasadv.losses.perceptual import perceptual_terms
from kerasadv.losses.total_variation import total_variation
from zoo.style_transfer.data import middle_square

PHOTO = None  # path of a picture of yours; None: the scene drawn below
PAINTING = None  # path of a picture of a painting; None: the one drawn below
WEIGHTS = "imagenet"  # of VGG19: downloaded by Keras; or the path of a file
SIZE = 160  # pixels, height and width of all pictures
REBUILT = ("block2_conv2", "block4_conv2", "block5_conv2")  # layers to rebuild the photo from
REBUILD_STEPS = 40  # iterations for each of them
TEXTURE_STEPS = 80  # iterations for each texture
STYLE_WEIGHTS = (0.05, 0.5, 5.0)  # against a content of weight 1
PAINT_STEPS = 40  # iterations for each painted photo
NETWORK_WEIGHT = 0.5  # the one of them that a network learns to paint with
NUM_CROPS = 50  # parts of the photo that it learns from
CROP = 128  # pixels, their height and width
EPOCHS = 5
OUTPUT = Path("paint_in_a_style")
OUTPUT.mkdir(exist_ok=True)

# %% [markdown]
# ## 1. A photo and a painting
#
# The photo should have things that one recognizes, coarse ones and fine ones; the painting should
# have strokes that one sees at this size, and its own colours. (How they are drawn does not matter
# for what follows.)


# %%
def draw_scene():
    """A house between trees, uint8, `(SIZE, SIZE, 3)`."""
    rng = np.random.default_rng(1)
    side = 4 * SIZE  # drawn larger, for smooth edges
    y, x = np.mgrid[:side, :side] / side

    def blend(one, other, share):
        return np.array(one) + (np.array(other) - one) * np.clip(share, 0, 1)[..., None]

    clouds = np.zeros((side, side))
    for k in range(6):
        cells = Image.fromarray(rng.uniform(0, 1, (4 * 2**k, 4 * 2**k)).astype("float32"))
        clouds += np.asarray(cells.resize((side, side), Image.Resampling.BICUBIC)) / 2 ** (k + 1)
    from_sun = np.hypot(x - 0.8, y - 0.17)
    land = blend((84, 140, 214), (232, 222, 206), y / 0.55)
    land = blend(land, (252, 250, 246), np.clip(5 * clouds - 2.75, 0, 0.9))
    land = blend(land, (255, 236, 170), 0.75 * np.exp(-(from_sun**2) / 0.012))
    land[from_sun < 0.065] = (255, 244, 196)
    for height, swing, phase, top, bottom in (
        (0.47, 0.07, 0.8, (122, 142, 170), (96, 122, 150)),
        (0.57, 0.05, 2.9, (104, 142, 98), (74, 118, 70)),
        (0.67, 0.03, 5.0, (142, 168, 74), (84, 126, 46)),
    ):
        ridge = height + swing * np.sin(6 * x + phase) + 0.4 * swing * np.sin(15 * x + 2 * phase)
        hill = blend(top, bottom, (y - ridge) / 0.25) * (0.8 + 0.4 * clouds)[..., None]
        land = np.where((y > ridge)[..., None], hill, land)
    picture = Image.fromarray(land.clip(0, 255).astype("uint8"))
    draw = ImageDraw.Draw(picture)

    def area(colour, *corners):
        draw.polygon([(side * a, side * b) for a, b in corners], fill=colour)

    def box(colour, left, top, width, height):
        corners = (left, top, left + width, top + height)
        draw.rectangle([side * corner for corner in corners], fill=colour)

    def disc(colour, a, b, radius):
        corners = (a - radius, b - radius, a + radius, b + radius)
        draw.ellipse([side * corner for corner in corners], fill=colour)

    def shade(colour, amount):
        return tuple(int(c) for c in np.clip(np.add(colour, amount), 0, 255))

    for _ in range(2600):  # grass
        a, b = rng.uniform(0, 1), rng.uniform(0.72, 1)
        tip = (a + rng.uniform(-0.006, 0.006), b - 0.03 * b * b)
        area(shade((92, 136, 52), rng.uniform(-35, 35)), (a, b), (a + 0.005, b), tip)
    for _ in range(70):  # flowers
        colour = ((226, 62, 50), (246, 214, 74), (244, 240, 236))[rng.integers(3)]
        disc(colour, rng.uniform(0, 1), rng.uniform(0.86, 1), 0.007)
    area((196, 170, 128), (0.37, 0.76), (0.45, 0.76), (0.62, 1), (0.34, 1))  # path
    for a, b, size in ((0.1, 0.78, 0.17), (0.88, 0.76, 0.13)):  # trees
        box((92, 66, 44), a - 0.08 * size, b - 1.2 * size, 0.16 * size, 1.2 * size)
        for _ in range(420):
            angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1) ** 0.5
            light = 0.5 + 0.35 * np.cos(angle + 0.8) * away + rng.uniform(-0.2, 0.2)
            leaves = shade((34, 74, 36), light * np.array((84, 92, 30)))
            u, v = a + 0.8 * size * away * np.cos(angle), b + size * (away * np.sin(angle) - 1.7)
            disc(leaves, u, v, rng.uniform(0.05, 0.11) * size)
    box((236, 224, 204), 0.28, 0.5, 0.28, 0.27)  # house
    box((196, 180, 160), 0.56, 0.5, 0.16, 0.27)
    area((170, 156, 138), (0.56, 0.5), (0.66, 0.32), (0.72, 0.5))
    area((176, 70, 52), (0.25, 0.51), (0.35, 0.32), (0.66, 0.32), (0.57, 0.51))
    area((120, 46, 38), (0.65, 0.32), (0.67, 0.32), (0.75, 0.51), (0.73, 0.51))
    for k in range(1, 10):  # tiles
        left, right, b = 0.35 - 0.1 * k / 9, 0.66 - 0.09 * k / 9, 0.32 + 0.19 * k / 9
        for a in np.linspace(left, right, 18)[:-1] + 0.008 * (k % 2):
            area((138, 50, 40), (a, b - 0.015), (a + 0.013, b), (a - 0.005, b))
    box((150, 84, 66), 0.42, 0.25, 0.06, 0.09)  # chimney, door, windows, fence
    box((110, 60, 50), 0.41, 0.235, 0.08, 0.015)
    box((44, 98, 112), 0.385, 0.6, 0.06, 0.17)
    for left in (0.30, 0.48, 0.61):
        box((250, 248, 240), left - 0.008, 0.552, 0.072, 0.1)
        for a, b in ((0, 0), (0, 0.046), (0.031, 0), (0.031, 0.046)):
            box((62, 84, 112), left + a, 0.56 + b, 0.025, 0.038)
    for left in np.arange(0, 0.32, 0.03):
        box((240, 236, 226), left, 0.775, 0.01, 0.075)
    for top in (0.79, 0.825):
        box((232, 228, 216), 0, top, 0.32, 0.012)
    return np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def draw_painting():
    """Strokes that follow whirls, yellow in the middle and blue outside, as `draw_scene`."""
    rng = np.random.default_rng(0)
    side = 4 * SIZE
    palette = np.array(
        [(250, 214, 84), (238, 168, 52), (120, 176, 190), (58, 116, 178), (36, 64, 138)]
        + [(22, 34, 84)]
    )
    middles = np.array([(0.27, 0.33), (0.72, 0.62), (0.85, 0.1), (0.15, 0.9)])
    turns = np.array([1, -1, 1, -1])  # which way each whirl turns
    picture = Image.new("RGB", (side, side), tuple(palette[-1].tolist()))
    draw = ImageDraw.Draw(picture)
    for width in np.linspace(0.03, 0.016, 2600):  # broad strokes first
        stroke = [rng.uniform(-0.05, 1.05, 2)]
        for _ in range(7):
            away = stroke[-1] - middles
            pull = (turns / (np.sum(away**2, axis=1) + 0.01))[:, None]
            flow = (pull * away[:, ::-1] * (1, -1)).sum(axis=0) + (0.6, 0.3)
            stroke.append(stroke[-1] + 0.013 * flow / np.hypot(*flow))
        tone = 13 * np.hypot(*(middles - stroke[0]).T).min() + rng.normal(0, 0.7)
        colour = palette[int(np.clip(tone, 0, 5))] + rng.normal(0, 14, 3)
        # A shadow, the stroke, and light on its upper edge.
        for shift, share, light in ((0.25, 1, -34), (0, 0.8, 0), (-0.15, 0.2, 34)):
            line = [tuple(side * (point + shift * width)) for point in stroke]
            fill = tuple(int(c) for c in np.clip(colour + light, 0, 255))
            draw.line(line, fill, width=max(1, int(share * width * side)), joint="curve")
    return np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def load(path, draw):
    """A picture of a file, or a drawn one, as a batch of one: float32, 0 to 255."""
    picture = draw() if path is None else middle_square(kerasadv.data.read_image(path), SIZE)
    return picture[None].astype("float32")


def sheet(rows, name):
    """Rows of pictures with a title each, enlarged; saved in `OUTPUT` and returned."""
    side, gap, line = 2 * SIZE, 8, 30
    size = (len(rows[0]) * (side + gap) + gap, len(rows) * (side + line + gap) + gap)
    page = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=19)
    for row, cells in enumerate(rows):
        for column, (title, pixels) in enumerate(cells):
            left, top = gap + column * (side + gap), gap + row * (side + line + gap)
            draw.text((left, top), title, fill=(40, 40, 40), font=font)
            picture = Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype("uint8"))
            picture = picture.resize((side, side), Image.Resampling.NEAREST)
            page.paste(picture, (left, top + line))
    page.save(OUTPUT / name)
    return page


photo, painting = load(PHOTO, draw_scene), load(PAINTING, draw_painting)
sheet([[("photo", photo[0]), ("painting", painting[0])]], "photo_and_painting.png")

# %% [markdown]
# ## 2. What the network sees
#
# VGG19 (Simonyan and Zisserman 2015) was trained to name what is in a photo, one of a thousand
# kinds. It has convolutions in five blocks, and between the blocks a pooling that halves height and
# width. `kerasadv.features.vgg` gives the activations that one asks for as a dictionary, and leaves
# out the end that names things. It is frozen: nothing here changes its weights.

# %%
LOOK = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv2", "block5_conv2")
# The layers that are compared when we paint: those of zoo.style_transfer.
CONTENT = "block3_conv3"
STYLE = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv1")

extractor = kerasadv.features.vgg("vgg19", sorted({*LOOK, *REBUILT, *STYLE}), weights=WEIGHTS)
seen = {layer: np.array(x) for layer, x in extractor(photo).items()}
for layer in LOOK:
    _, height, width, channels = seen[layer].shape
    silent = (seen[layer] == 0).mean()
    print(
        f"{layer}: {height:3} x {width:3} positions, {channels:3} channels,"
        f" {100 * silent:.0f} % of the activations are 0"
    )

# %% [markdown]
# Each column of the sheet is a layer, each picture one of its channels: white where it is
# strongest, black where it is silent. We show channels that vary much and differ from each other.


# %%
def some_channels(features, number=4):
    """Channels that vary most, each unlike those before it."""
    # Without the edge, where many channels see the end of the picture and nothing else.
    inner = features[1:-1, 1:-1].reshape(-1, features.shape[-1])
    inner = inner - inner.mean(axis=0)
    length = np.linalg.norm(inner, axis=0)
    chosen = []
    for channel in np.argsort(-length):
        products = np.abs(inner[:, chosen].T @ inner[:, channel])
        if np.all(products <= 0.3 * length[chosen] * length[channel]):
            chosen.append(channel)
    return chosen[:number]


columns = []
for layer in LOOK:
    features = seen[layer][0]
    columns.append(
        [
            (f"{layer}, channel {c}", 255 * features[..., c] / (features[..., c].max() + 1e-9))
            for c in some_channels(features)
        ]
    )
sheet(list(zip(*columns)), "what_vgg_sees.png")

# %% [markdown]
# * **Height and width fall, channels grow.** Each pooling leaves a quarter of the positions, and
#   the next block has twice as many channels, up to 512: less of *where*, more of *what*.
# * **Block 1** sees light and dark, colours and edges, pixel by pixel. **Block 2** sees contours of
#   one direction, such as everything that faces up.
# * **From block 3 on** some channels answer to things in this scene: one of block 3 to the windows,
#   one of block 4 to the house, one of block 5 to the roof. Nobody told the network to look for
#   them; such channels help to tell its thousand kinds of things apart.
# * **Many activations are 0**, at `block5_conv2` 79 % of them: a channel is silent where there is
#   nothing for it.
#
# ## 3. Content: rebuild the photo from one layer
#
# What does a layer still know of the photo? We ask for any picture that looks the same *to this
# layer*: start from plain grey and change the pixels until the activations agree. The loss is the
# *content* term of `Perceptual`, the mean of the squared difference between activations $F$ at $N$
# positions and in $C$ channels:
#
# $$L_{content} = \frac{1}{N C} \sum_{n, c} \left(F_{nc}(x) - F_{nc}(photo)\right)^2$$
#
# Here the picture is what is trained, and nothing else. Gatys et al. used L-BFGS for that, which
# estimates the curvature from its last steps and so needs few of them. SciPy has it, with bounds
# that keep each pixel between black and white.


# %%
def change_pixels(loss, start, iterations):
    """A picture like `start`, changed so that its loss against the photo falls."""

    @tf.function
    def value_and_gradient(picture):
        with tf.GradientTape() as tape:
            tape.watch(picture)
            value = loss(photo, picture)
        return value, tape.gradient(value, picture)

    # The first step is as long as the gradient: at this scale, some grey values.
    scale = 1e6 / float(value_and_gradient(tf.constant(start))[0])

    def evaluate(vector):
        value, gradient = value_and_gradient(tf.constant(vector.reshape(start.shape), tf.float32))
        return scale * float(value), scale * np.asarray(gradient, "float64").ravel()

    found = minimize(
        evaluate,
        start.ravel().astype("float64"),
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(0, 255),
        options={"maxiter": iterations, "ftol": 0, "gtol": 0},
    )
    return found.x.reshape(start.shape).astype("float32")


grey = np.full_like(photo, 128)
print(f"plain grey: pixels off by {np.abs(grey - photo).mean():.1f} on average")
cells = [("photo", photo[0])]
for layer in REBUILT:
    loss = kerasadv.losses.Perceptual(extractor, content={layer: 1.0})
    rebuilt = change_pixels(loss, grey, REBUILD_STEPS)
    left = float(loss(photo, rebuilt)) / float(loss(photo, grey))
    away = np.abs(rebuilt - photo).mean()
    print(f"{layer}: loss down to {100 * left:.2f} %, pixels off by {away:.1f} on average")
    cells.append((f"from {layer}", rebuilt[0]))
sheet([cells], "rebuilt.png")

# %% [markdown]
# When we wrote this (your numbers may differ a little), the loss had fallen to 1.3, 5.2 and 11.2 %
# of what it was, and yet pixels were off by 22, 50 and 58 grey values on average. Plain grey, from
# where we started, is off by 54: for `block5_conv2` a picture that is farther from the photo looks
# much more like it.
#
# * From **block 2** the picture comes back nearly as it was, down to the tiles of the roof; some
#   colours have drifted.
# * From **block 4** we get the house, the trees and the fence, each in its place, with sharp
#   contours. The plain parts stay nearly as grey as they began, or get a pattern that is not in the
#   photo: the layer does not see the difference.
# * From **block 5** a house is still there, with roof and windows, but its lines are not where they
#   were, and colours are lost.
#
# That is what we want to keep when we paint: things and their places, but neither colours nor
# brush. A layer from the middle is a good choice for it, here `block3_conv3`.
#
# ## 4. Style: textures from Gram matrices
#
# The other half of the idea is to forget *where* things are. The Gram matrix of a layer holds one
# number for each pair of channels: the product of their activations, summed up over all positions
# and divided by the number of activations. It is large for two channels that are active at the same
# places, wherever these are.
#
# $$G_{cd} = \frac{1}{N C} \sum_n F_{nc} F_{nd}$$
#
# `kerasadv.ops.gram_matrix` computes it. Positions are summed over, so shuffling them changes
# nothing:

# %%
features = np.array(extractor(painting)["block2_conv2"])
positions = features.reshape(-1, features.shape[-1])
shuffled = np.random.default_rng(0).permutation(positions).reshape(features.shape)
one, other = (np.array(kerasadv.ops.gram_matrix(x)) for x in (features, shuffled))
print(f"Gram matrix {one.shape[1:]}, from {features.shape[1:]} activations")
print(f"shuffled: differs by {np.abs(one - other).max() / np.abs(one).max():.1e} of the largest")

# %% [markdown]
# The *style* term of `Perceptual` is the mean of the squared difference between the Gram matrices
# of a picture and those of a painting, at one layer or several. `paintings` holds the latter, so
# that the network does not look at the painting again and again. Without a content term, a picture
# that starts as noise becomes a texture: the painting's colours and strokes, and nothing of its
# composition. The sheet has a texture from the first layer of `STYLE` alone, one from the first
# two, and so on.

# %%
grams = {
    layer: np.array(kerasadv.ops.gram_matrix(x))[0]
    for layer, x in extractor(painting).items()
    if layer in STYLE
}
own = extractor(photo)
for layer in STYLE:
    difference = np.array(kerasadv.ops.gram_matrix(own[layer]))[0] - grams[layer]
    print(f"{layer}: photo and painting differ by {np.mean(difference**2):,.0f}")

noise = np.random.default_rng(0).uniform(96, 160, photo.shape).astype("float32")
cells = [("painting", painting[0])]
for number in range(1, len(STYLE) + 1):
    layers = STYLE[:number]
    loss = kerasadv.losses.Perceptual(
        extractor,
        style=dict.fromkeys(layers, 1.0),
        paintings={layer: grams[layer] for layer in layers},
    )
    texture = change_pixels(loss, noise, TEXTURE_STEPS)
    left = float(loss(photo, texture)) / float(loss(photo, noise))
    print(f"up to {layers[-1]}: loss down to {100 * left:.3f} %")
    cells.append((f"up to {layers[-1]}", texture[0]))
sheet([cells], "textures.png")

# %% [markdown]
# With **block 1** alone there are the colours and spots a few pixels wide; with **block 2** strokes
# appear, with **block 3** they lie side by side and follow each other, with **block 4** there are
# small whirls. None has the four whirls of the painting where the painting has them. So the layers
# decide how large the patterns are that make up "style"; and so does the size of the painting in
# pixels, as a layer sees a patch of so many pixels, whatever is in it.
#
# Equal weights do not make layers count equally. Of the difference between photo and painting, 60 %
# came from `block4_conv1`, 33 % from `block3_conv3`, and 7 % from the first two together.
#
# ## 5. Both: the photo, painted
#
# Now the content of the photo and the style of the painting in one loss. `Compound` adds a third
# term, `TotalVariation`: neighbouring pixels that differ cost a little, against specks that VGG
# hardly sees. We start from the photo.


# %%
def painted_like(style_weight):
    """The loss of the photo, painted like the painting."""
    return kerasadv.losses.Compound(
        {
            "perceptual": kerasadv.losses.Perceptual(
                extractor,
                content={CONTENT: 1.0},
                style=dict.fromkeys(STYLE, style_weight),
                paintings=grams,
            ),
            "total_variation": kerasadv.losses.TotalVariation(),
        },
        weights={"perceptual": 1.0, "total_variation": 1.0},
    )


def report(name, picture):
    """Print the terms of a picture; the style as with a weight of 1."""
    terms = perceptual_terms(
        photo, picture, extractor, {CONTENT: 1.0}, dict.fromkeys(STYLE, 1.0), grams
    )
    terms["total variation"] = total_variation(photo, picture)
    numbers = [f"{term} {float(values[0]):9,.0f}" for term, values in terms.items()]
    print(f"{name:18}", "   ".join(numbers))


report("photo", photo)
report("painting", painting)
cells, painted = [("photo", photo[0])], {}
for weight in STYLE_WEIGHTS:
    began = time.perf_counter()
    painted[weight] = change_pixels(painted_like(weight), photo, PAINT_STEPS)
    seconds_of_steps = time.perf_counter() - began
    report(f"style weight {weight:g}", painted[weight])
    cells.append((f"style weight {weight:g}", painted[weight][0]))
sheet([cells], "painted.png")

# %% [markdown]
# The style weight decides between the two. When we wrote this, in thousands:
#
# |                   | content | style (weight 1) |
# |-------------------|---------|------------------|
# | the photo         | 0       | 5,590            |
# | style weight 0.05 | 78      | 1,435            |
# | style weight 0.5  | 244     | 165              |
# | style weight 5    | 406     | 71               |
# | the painting      | 600     | 0                |
#
# At 0.05 the photo is only tinted, at 0.5 strokes and whirls fill the sky, at 5 the windows and the
# fence begin to dissolve. Total variation was 1,200 to 1,800, so at a weight of 1 it says little.
#
# **Weights do not travel** from one code to another: some divide Gram matrices by the number of
# positions, by that of channels, by both or by neither, and some take sums where others take means.
# The docstring of `kerasadv.losses.Perceptual` has a table of factors. For instance, Gatys et al.
# divide nothing; a weight of 1 of theirs is one of $C N / 2$ here for the content, and of $C^2 / 4$
# for the style. With 1000 times as much weight on the style as on the content, as in one of their
# figures, shared out evenly among our layers, we get at `block3_conv3`:

# %%
channels, positions = seen[CONTENT].shape[-1], seen[CONTENT][0, ..., 0].size
content_weight = channels * positions / 2
style_weight = 1000 * (1 / len(STYLE)) * channels**2 / 4
print(f"for one of content, {style_weight / content_weight:.1f} of style at {CONTENT}")

# %% [markdown]
# $N$ is in it, so their weight is another one for another size of the picture. (Nor is that all:
# they had scaled the weights of VGG so that each channel is 1 on average. Take a translated weight
# as the one to start from.)
#
# What we did here by hand, `zoo.style_transfer` does as a command. It makes the shorter side of the
# painting 256 pixels long, which suits photos of about that size or more:
#
# ```
# python -m zoo.style_transfer.optimize photo.jpg --painting painting.jpg --output painted.png
# ```
#
# ## 6. A network that paints in one pass
#
# Every photo needs its own iterations, and takes seconds to minutes. Johnson et al. trained a
# network instead, to make the same loss small for any photo, once and for all. Then a photo takes
# one pass. That is `zoo.StyleTransfer`; and as the loss is an ordinary Keras loss, training is
# `compile` and `fit`, with the photos as input and as target.
#
# Here it learns from parts of our one photo, for about a minute: enough to see that it works, and
# all it will know is this photo.

# %%
rng = np.random.default_rng(0)
crops = []
for mirrored in rng.random(NUM_CROPS) < 0.5:
    top, left = rng.integers(0, SIZE - CROP + 1, 2)
    crop = photo[0, top : top + CROP, left : left + CROP]
    crops.append(crop[:, ::-1] if mirrored else crop)
crops = np.stack(crops)

keras.utils.set_random_seed(0)
model = zoo.StyleTransfer(num_styles=1, filters=16, residual_blocks=1)
falling = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * NUM_CROPS)
model.compile(keras.optimizers.Adam(falling), loss=painted_like(NETWORK_WEIGHT))
history = model.fit(
    [crops, np.ones((NUM_CROPS, 1))],
    crops,
    batch_size=1,
    epochs=EPOCHS,
    callbacks=[kerasadv.training.LossTerms()],
    verbose=0,
).history
for epoch in range(EPOCHS):
    terms = [f"{term} {history[term][epoch]:,.0f}" for term in ("content", "style")]
    print(f"epoch {epoch + 1}:", "   ".join(terms))

style = np.ones((1, 1))  # all of the only style
model.predict([photo, style], verbose=0)  # the first pass compiles
began = time.perf_counter()
by_network = model.predict([photo, style], verbose=0)
seconds = time.perf_counter() - began
report("network", by_network)
loss = painted_like(NETWORK_WEIGHT)
for name, picture in (
    ("photo", photo),
    ("by its pixels", painted[NETWORK_WEIGHT]),
    ("by the network", by_network),
):
    print(f"{name:14} loss {float(loss(photo, picture)):9,.0f}")
print(f"one pass: {seconds:.2f} s; {PAINT_STEPS} iterations: {seconds_of_steps:.0f} s")
sheet(
    [
        [
            ("photo", photo[0]),
            ("by its pixels", painted[NETWORK_WEIGHT][0]),
            ("by the network", by_network[0]),
        ]
    ],
    "network.png",
)

# %% [markdown]
# (The style of an epoch is shown with its weight, that of `report` without.) When we wrote this,
# the loss of the photo was 2,796 thousand; changing pixels brought it down to 328, the network,
# after 250 batches of one crop, to 847. It has found the colours, and strokes for the trees and the
# grass; the plain parts of the sky are still plain, the roof is yellow, and a fine grid lies over
# the picture. A real training takes thousands of photos, tens of thousands of batches, and hours.
# One network learns several paintings, with a scale and a shift for each of them in its
# normalization (Dumoulin et al.), so that they can be blended:
#
# ```
# python -m zoo.style_transfer.train --data folder --data-dir MY_PHOTOS --styles MY_PAINTINGS
# python -m zoo.style_transfer.paint photo.jpg --style NAME --weights runs/.../model.weights.h5
# python -m zoo.style_transfer.paint photo.jpg --style NAME:0.5,OTHER:0.5 --weights ...
# ```
#
# Without `--weights`, `paint` takes the published network, which knows twelve paintings.
#
# How good is it then? This tells how many iterations on the pixels each painted photo is worth:
#
# ```
# python -m zoo.style_transfer.measure PHOTOS --weights ... --styles MY_PAINTINGS --output DIR
# ```
#
# ## 7. What to watch out for
#
# **The range of values.** The extractor expects black as 0 and white as 255, unless it is told
# otherwise with `value_range`. Nothing fails if a photo of 0 to 1 gets in: VGG sees a photo that is
# nearly black, and the loss goes down nicely.


# %%
def features_of(pictures, value_range=(0, 255)):
    network = kerasadv.features.vgg("vgg19", [CONTENT], WEIGHTS, value_range)
    return np.array(network(pictures)[CONTENT])


right, black = features_of(photo), features_of(0 * photo)
same, wrong = features_of(photo / 255, value_range=(0, 1)), features_of(photo / 255)
spread = np.abs(right - black).mean()
print(f"0 to 1, and said so: differs by {np.abs(same - right).mean() / spread:.1e}")
print(f"0 to 1, taken for 0 to 255: only {np.abs(wrong - black).mean() / spread:.1%} of black away")

# %% [markdown]
# **Mixed precision.** The network that paints may compute in half precision, the extractor and the
# Gram matrices do not: float16 ends at 65,504, and products of activations, summed up over many
# positions, do not fit in. `kerasadv.features.vgg` stays in float32 whatever the policy is. An
# extractor of your own should, too.

# %%
keras.config.set_dtype_policy("mixed_float16")
in_half = features_of(photo)
model_in_half = zoo.StyleTransfer(num_styles=1, filters=4, residual_blocks=0)
keras.config.set_dtype_policy("float32")
print("the network paints in", model_in_half.get_layer("enter_conv").compute_dtype)
print(f"the extractor gives {in_half.dtype}, off by {np.abs(in_half - right).max():g}")

# %% [markdown]
# **The extractor is not saved with the model.** It belongs to the loss, and of it only the name of
# the network and the source of its weights are saved. That keeps files small; but to go on training
# with a loaded model, the same source has to be there: the download, or the file at the same path.
# To paint, load with `compile=False`: no VGG is needed.

# %%
path = OUTPUT / "painter.keras"
model.save(path)
print(f"{path.stat().st_size / 1e6:.1f} MB; VGG {4 * extractor.count_params() / 1e6:.0f} MB")
again = keras.saving.load_model(path, compile=False)
assert np.allclose(again.predict([photo, style], verbose=0), by_network, atol=1)

# %% [markdown]
# **Instance normalization looks at the whole picture.** It takes mean and variance from the very
# picture that it paints, also after training. So a part of a photo, painted alone, is not that part
# of the painted photo, and tiles do not fit together. `zoo.style_transfer.paint` knows that: for
# large photos it fixes the statistics first.

# %%
part = SIZE // 2
alone = model.predict([photo[:, :, :part], style], verbose=0)
away = np.abs(alone - by_network[:, :, :part])[:, :, : part // 2].mean()
print(f"the left quarter, painted with the left half alone, differs by {away:.1f} grey values")

# %% [markdown]
# **The weight of total variation** belongs to a range of values and to a size: the same photo with
# more pixels has smaller steps from one to the next. Too much of it wipes the strokes away, none
# leaves specks. `TotalVariation` takes the mean over pixels and channels; for code that takes the
# sum, the same weight is a number smaller by their count.
#
# **Gram matrices of a small picture are noisy**, as they are means over few positions: at
# `block5_conv2` this photo has just 100, for 512 x 512 entries. Give the painting at least as many
# pixels as the photo.
#
# **L-BFGS with bounds minds the scale of a loss.** In SciPy's first step each pixel moves by its
# gradient. When the loss is small that is less than float32 can tell, and the search may end at
# once, without an error: so it did here for `block4_conv2` and `block5_conv2` when we scaled the
# loss to begin at 1. That is why `change_pixels` lets it begin at a million.
#
# ## References
#
# * Gatys et al., "Image style transfer using convolutional neural networks", CVPR 2016.
# * Johnson et al., "Perceptual losses for real-time style transfer and super-resolution",
#   ECCV 2016.
# * Dumoulin et al., "A learned representation for artistic style", ICLR 2017.
# * Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition",
#   ICLR 2015.
