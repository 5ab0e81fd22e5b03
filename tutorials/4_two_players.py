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
# # Two players: from the minimax formula to pictures
#
# A generative adversarial network is a game. A *generator* makes pictures of random numbers; a
# *discriminator* tells them from real ones; each learns from the other. We look at the formula of
# the game, at its best discriminator, at what it means that the generator's loss *saturates*, at
# why players go round in circles and what stops them, train points in the plane, and end with drawn
# digits.
#
# You need `kerasadv` and its dependencies, and no data: everything is drawn here. It takes about
# four minutes on two processor cores. As a script it writes its pictures into the folder `OUTPUT`;
# opened with jupytext it is a notebook that shows them.

# %%
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import layers
from PIL import Image, ImageDraw, ImageFont

import kerasadv
import zoo
from kerasadv.losses import Minimax
from kerasadv.training import GAN, R1
from kerasadv.training.sampling import sheet
from zoo.dcgan.sample import walks
from zoo.noisy_labels.digits import draw_digits

LINE_STEPS = 600  # of a discriminator on the line
CIRCLE_STEPS = 600  # of two players with a number each
RING_EPOCHS = 60  # of points in the plane
NUM_POINTS = 2048  # real ones in the plane
NUM_DIGITS = 3000
DIGIT_EPOCHS = 24
FILTERS = 24
OUTPUT = Path("two_players")
OUTPUT.mkdir(exist_ok=True)
keras.utils.set_random_seed(0)

# %% [markdown]
# First two ways to draw: lines over an axis, and points in squares.

# %%
# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLOURS = ((40, 40, 40), (213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167))
INK, GRID = (40, 40, 40), (222, 222, 222)


def font(size):
    return ImageFont.load_default(size=2 * size)


def reduced(picture, name):
    """A picture drawn at double size, for smooth edges; saved, and returned for notebooks."""
    picture = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)
    picture.save(OUTPUT / name)
    return picture


def frame(draw, title, corner, size, x_ticks, y_ticks):
    """A titled square with a grid; gives back what takes values to pixels."""
    x0, x1 = corner + 90, corner + 2 * size - 10
    y0, y1 = 2 * size - 20, 80

    def to_pixels(x, y):
        return (
            x0 + (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (x1 - x0),
            y0 + (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (y1 - y0),
        )

    draw.text((x0, y1 - 16), title, fill=INK, font=font(14), anchor="ls")
    for tick in x_ticks:
        draw.line([to_pixels(tick, y_ticks[0]), to_pixels(tick, y_ticks[-1])], fill=GRID, width=2)
        draw.text(
            (to_pixels(tick, 0)[0], y0 + 8), f"{tick:g}", fill=INK, font=font(12), anchor="ma"
        )
    for tick in y_ticks:
        draw.line([to_pixels(x_ticks[0], tick), to_pixels(x_ticks[-1], tick)], fill=GRID, width=2)
        draw.text(
            (x0 - 10, to_pixels(0, tick)[1]), f"{tick:g}", fill=INK, font=font(12), anchor="rm"
        )
    return to_pixels


def chart(panels, name, size=320):
    """Panels side by side, each a title, lines by name, each x and y, and ticks of both axes."""
    picture = Image.new("RGB", (2 * size * len(panels) + 20, 2 * size + 80), "white")
    draw = ImageDraw.Draw(picture)
    names = list(dict.fromkeys(series for _, lines, _, _ in panels for series in lines))
    left = 90
    for series, colour in zip(names, COLOURS):
        draw.line([(left, 2 * size + 55), (left + 44, 2 * size + 55)], fill=colour, width=9)
        draw.text((left + 56, 2 * size + 55), series, fill=INK, font=font(14), anchor="lm")
        left += 56 + draw.textlength(series, font=font(14)) + 44
    for place, (title, lines, x_ticks, y_ticks) in enumerate(panels):
        to_pixels = frame(draw, title, 2 * size * place, size, x_ticks, y_ticks)
        for series, (x, y) in lines.items():
            y = np.clip(y, y_ticks[0], y_ticks[-1])
            points = [to_pixels(*point) for point in zip(x, y)]
            draw.line(points, fill=COLOURS[names.index(series)], width=5, joint="curve")
    return reduced(picture, name)


def scatter(rows, name, size=190, reach=3):
    """Rows of squares, each a title with points of two kinds: real ones grey, generated orange."""
    columns = max(len(row) for row in rows)
    picture = Image.new("RGB", (2 * size * columns, 2 * size * len(rows)), "white")
    draw = ImageDraw.Draw(picture)
    for top, row in enumerate(rows):
        for left, (title, real, made) in enumerate(row):
            corner = np.array([2 * size * left, 2 * size * top + 30])
            draw.text((corner[0] + 20, corner[1] - 4), title, fill=INK, font=font(13), anchor="ls")
            for points, colour in ((real, (200, 200, 200)), (made, COLOURS[1])):
                inside = points[(abs(points) < reach).all(axis=1)]
                for x, y in inside[:500]:
                    place = corner + (np.array([x, -y]) / reach + 1) / 2 * (2 * size - 40)
                    draw.ellipse([*(place - 3), *(place + 3)], fill=colour)
    return reduced(picture, name)


# %% [markdown]
# ## 1. The formula, and the best discriminator
#
# Goodfellow et al. (2014) write the game as
#
# $$\min_G \max_D \ \mathbb{E}_{x \sim p} \log D(x) + \mathbb{E}_{x \sim q} \log (1 - D(x))$$
#
# with $p$ the real pictures, $q$ what the generator makes, and $D(x)$ the probability with which
# the discriminator takes $x$ for real. For a given generator the best discriminator is
#
# $$D^*(x) = \frac{p(x)}{p(x) + q(x)}$$
#
# and what the game is worth with it is $2\,\mathrm{JSD}(p, q) - \log 4$: the Jensen-Shannon
# divergence, which is 0 only where both are the same. So a discriminator that plays well *measures*
# how far the generator is from real pictures.
#
# On a line we can check that. Real numbers come from two bumps, generated ones from one. A
# discriminator is a classifier like any other; we train one, and compare it with the formula.

# %%
x = np.linspace(-5, 5, 1001)


def bump(x, middle, width):
    return np.exp(-(((x - middle) / width) ** 2) / 2) / (width * np.sqrt(2 * np.pi))


p = 0.5 * bump(x, -2, 0.6) + 0.5 * bump(x, 2, 0.6)
q = bump(x, 0, 1.2)
rng = np.random.default_rng(0)
real = rng.choice([-2, 2], 64 * LINE_STEPS) + 0.6 * rng.normal(size=64 * LINE_STEPS)
made = 1.2 * rng.normal(size=64 * LINE_STEPS)

judge = keras.Sequential(
    [keras.Input((1,)), *(layers.Dense(32, "tanh") for _ in range(2)), layers.Dense(1)]
)
judge.compile(keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
judge.fit(
    np.concatenate([real, made])[:, None].astype("float32"),
    np.repeat([1.0, 0.0], 64 * LINE_STEPS),
    batch_size=128,
    verbose=0,
)
scores = judge.predict(x[:, None].astype("float32"), verbose=0)[:, 0]

middle = (p + q) / 2
divergence = np.trapezoid(p * np.log(p / middle) + q * np.log(q / middle), x) / 2
game = Minimax()
# `Minimax` has the discriminator's side as a loss, the negative of the formula.
value = -float(game(*(judge(y[:, None].astype("float32")) for y in (real, made))))
print(f"2 JSD - log 4 is {2 * divergence - np.log(4):.3f}; our discriminator gets {value:.3f}")
chart(
    [
        ("densities", {"real": (x, p), "made": (x, q)}, (-5, -2.5, 0, 2.5, 5), (0, 0.2, 0.4)),
        (
            "probability of being real",
            {"p / (p + q)": (x, p / (p + q)), "trained": (x, 1 / (1 + np.exp(-scores)))},
            (-5, -2.5, 0, 2.5, 5),
            (0, 0.5, 1),
        ),
    ],
    "best_discriminator.png",
)

# %% [markdown]
# Where there are points, the trained one is near the formula. Farther out it has seen nothing, and
# says anything.
#
# ## 2. What saturating means
#
# The generator has a say in the second term alone, $\log(1 - D)$, and wants it small. With the
# discriminator's *score* $s$, the logit of $D$, that term is $-\log(1 + e^s)$, and its slope by the
# score is $-D$. That is the trouble: a generator whose pictures are found out, $D$ near 0, has
# hardly any slope to learn from. The loss *saturates* just where there is most to learn.
#
# So Goodfellow et al. let the generator maximize $\log D$ instead. Its slope is $-(1 - D)$, large
# where the pictures are bad. That is no minimax game any more: the players have losses that do not
# add up to 0. But the generator that has nothing left to learn is the same.

# %%
s = np.linspace(-8, 8, 321)
losses = {
    "saturating": np.array(Minimax(saturating=True).generator(s[:, None])),
    "non-saturating": np.array(game.generator(s[:, None])),
}
slopes = {name: np.gradient(values, s) for name, values in losses.items()}
for name, values in slopes.items():
    print(f"{name}: slope {values[np.argmin(abs(s + 5))]:.4f} at a score of -5")
chart(
    [
        (
            "what the generator minimizes, by score",
            {name: (s, values) for name, values in losses.items()},
            (-8, -4, 0, 4, 8),
            (-8, -4, 0, 4, 8),
        ),
        (
            "its slope",
            {name: (s, values) for name, values in slopes.items()},
            (-8, -4, 0, 4, 8),
            (-1, -0.5, 0),
        ),
    ],
    "saturating.png",
)

# %% [markdown]
# At a score of -5, where the discriminator is 99 % sure, the non-saturating loss pulls about 150
# times as hard. `Minimax()` is the non-saturating game, `Minimax(saturating=True)` the true one.
#
# ## 3. Why players go round in circles
#
# Both players go downhill, but each on a slope that the other one moves. The smallest game there is
# (Mescheder et al. 2018) has one real point at 0, a generator that makes one point $\theta$, and a
# discriminator with the score $\psi x$. It ends well at $\theta = \psi = 0$. Do they get there?
#
# R1 is a penalty on the square of the discriminator's gradient at real pictures, here $\psi^2$: "be
# flat where pictures are real". `kerasadv.training.R1` has it for networks.


# %%
def play(penalty, rate=0.2):
    """Both numbers over the steps of simultaneous gradient descent, non-saturating."""
    theta, psi = 1.0, 0.0
    path = [(theta, psi)]
    for _ in range(CIRCLE_STEPS):
        found_out = 1 / (1 + np.exp(-psi * theta))  # D of the generated point
        # The real point at 0 has no say: there the score is 0, whatever psi.
        gradient_psi = found_out * theta + penalty * psi
        gradient_theta = -(1 - found_out) * psi
        theta, psi = theta - rate * gradient_theta, psi - rate * gradient_psi
        path.append((theta, psi))
    return np.array(path).T


paths = {"no penalty": play(0.0), "R1, weight 0.3": play(0.3)}
for name, (theta, psi) in paths.items():
    print(f"{name}: {np.hypot(theta[-1], psi[-1]):.3f} from the end of the game, at first 1")
chart([("theta and psi", paths, (-2, -1, 0, 1, 2), (-2, -1, 0, 1, 2))], "circles.png")

# %% [markdown]
# Without a penalty they end up on a circle and stay there; with it they spiral in. With smaller
# steps the circle is smaller, as the root of the rate, and slower, but it stays a circle.
#
# ## 4. Points in the plane
#
# Now two small networks. Real points lie in eight heaps on a ring. `GAN` takes both players;
# `compile` takes an optimizer for each and the game; `fit` takes the real points and nothing else.


# %%
angles = rng.integers(0, 8, NUM_POINTS) * np.pi / 4
ring = np.stack([2 * np.cos(angles), 2 * np.sin(angles)], axis=1)
ring = (ring + 0.1 * rng.normal(size=ring.shape)).astype("float32")
SHOWN = (1, RING_EPOCHS // 6, RING_EPOCHS // 2, RING_EPOCHS)


def ring_game(game, generator_optimizer, penalties=(), callbacks=()):
    """Train two players for the ring: their history, and what the generator made on the way."""
    keras.utils.set_random_seed(1)
    generator = keras.Sequential(
        [keras.Input((2,)), *(layers.Dense(64, "relu") for _ in range(2)), layers.Dense(2)]
    )
    discriminator = keras.Sequential(
        [keras.Input((2,)), *(layers.Dense(64, "relu") for _ in range(2)), layers.Dense(1)]
    )
    gan = GAN(generator, discriminator, latent_shape=(2,), seed=0)
    gan.compile(
        generator_optimizer,
        keras.optimizers.Adam(1e-3, beta_1=0.5),
        loss=game,
        penalties=penalties,
    )
    seen = {}
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.update({epoch + 1: gan.generate(500, seed=0)})
    )
    history = gan.fit(
        ring, batch_size=64, epochs=RING_EPOCHS, callbacks=[keep, *callbacks], verbose=0
    ).history
    return history, [seen[epoch] for epoch in SHOWN]


def compare(games, name):
    """Play several games on the ring, draw what comes of them, and print how they end."""
    histories, rows = {}, []
    for title, settings in games.items():
        histories[title], pictures = ring_game(*settings)
        rows.append(
            [
                (f"{title}, epoch {epoch}" if epoch == 1 else f"epoch {epoch}", ring, points)
                for epoch, points in zip(SHOWN, pictures)
            ]
        )
        last = {key: values[-1] for key, values in histories[title].items()}
        print(
            f"{title}: right about {last['real_accuracy']:.0%} of real and "
            f"{last['fake_accuracy']:.0%} of made points; spread {last['spread']:.2f}; norm of the "
            f"generator's gradient {last['generator_gradient_norm']:.2f}"
        )
    return histories, scatter(rows, name)


def curves(histories, name, norms):
    """How often the discriminator is right, and the generator's gradient, by epoch."""
    epochs = np.arange(1, RING_EPOCHS + 1)
    return chart(
        [
            (
                title,
                {name: (epochs, np.array(history[key])) for name, history in histories.items()},
                (0, RING_EPOCHS / 2, RING_EPOCHS),
                ticks,
            )
            for title, key, ticks in (
                ("share of made points found out", "fake_accuracy", (0, 0.5, 1)),
                ("norm of the generator's gradient", "generator_gradient_norm", norms),
            )
        ],
        name,
    )


histories, picture = compare(
    {
        "no penalty": (Minimax(), keras.optimizers.Adam(1e-3, beta_1=0.5)),
        "R1": (Minimax(), keras.optimizers.Adam(1e-3, beta_1=0.5), [R1(0.1)]),
    },
    "ring.png",
)
picture

# %%
curves(histories, "ring_curves.png", (0, 1, 2))

# %% [markdown]
# The logs of `fit` tell how a game goes: how often the discriminator is right about real and about
# generated points (a half: it can only guess), the *spread* of generated ones as a share of that of
# real ones (it falls where the generator makes always the same), and the norms of both gradients.
# Both games come to the ring. With R1 the gradient of the generator calms down, as the players
# settle; without, it stays large, and they go on circling.
#
# ## 5. Saturation, and a collapse
#
# To see what saturates, we let the discriminator learn alone: a learning rate of 0 keeps the
# generator where it is (each player may have a rate, or a schedule, of its own). The better its
# points are found out, the less the true minimax game tells the generator, and the more the
# non-saturating one.

# %%
histories = {
    name: ring_game(Minimax(saturating=name == "saturating"), keras.optimizers.SGD(0.0))[0]
    for name in ("saturating", "non-saturating")
}
curves(histories, "alone.png", (0, 1, 2, 3, 4))

# %% [markdown]
# In practice the difference is smaller, as Adam divides gradients by their usual size.
#
# And this is what a collapse looks like: a generator that runs ahead of its discriminator takes all
# its points to the one heap that is just then believed in, and when the discriminator has
# understood, on to the next. `kerasadv.training.GameWatch` says so, by the spread;
# `kerasadv.training.TensorBoard` includes it, and shows the curves and, for pictures, always the
# same latents.

# %%
too_fast = keras.optimizers.SGD(0.3)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    histories, picture = compare(
        {"too fast": (Minimax(), too_fast, (), [kerasadv.training.GameWatch()])}, "collapse.png"
    )
print(*[w.message for w in said if "collapse" in str(w.message)], sep="\n")
picture

# %% [markdown]
# ## 6. Pictures
#
# Drawn digits of 28 x 28 pixels, and the two networks of a DCGAN (Radford et al. 2016): strided
# convolutions, no pooling, batch normalization in both. (With it, a picture is judged beside the
# others of its batch, which is of great help in a short training, but R1, which is about one
# picture, does not mean what it says.) `generate` takes an average of the generator's weights over
# the last steps, which is calmer than any of them.
#
# How good is it? `FrechetDistance` compares generated with real pictures as two clouds in the
# features of a network. Here a coarse eye will do: the brightness of 7 x 7 squares. What it says of
# real digits against other real digits is the floor.

# %%
digits = draw_digits(NUM_DIGITS, seed=0)[0] / 127.5 - 1
others = draw_digits(NUM_DIGITS, seed=1)[0] / 127.5 - 1
eye = keras.Sequential([keras.Input((28, 28, 1)), layers.AveragePooling2D(4), layers.Flatten()])
floor = float(kerasadv.metrics.FrechetDistance(eye)(digits, others))

keras.utils.set_random_seed(0)
gan = GAN(
    zoo.DCGANGenerator(28, 1, filters=FILTERS),
    zoo.DCGANDiscriminator(28, 1, filters=FILTERS, batch_normalization=True),
    latent_shape=(128,),
    ema_momentum=0.98,
    seed=0,
)
gan.compile(
    keras.optimizers.Adam(5e-4, beta_1=0.5),
    keras.optimizers.Adam(5e-4, beta_1=0.5),
    loss=Minimax(),
)
pages, distances = [], {}
for epochs in (DIGIT_EPOCHS // 12, DIGIT_EPOCHS // 3, DIGIT_EPOCHS):
    gan.fit(
        digits.astype("float32"),
        initial_epoch=list(distances)[-1] if distances else 0,
        epochs=epochs,
        batch_size=64,
        verbose=0,
    )
    made = gan.generate(NUM_DIGITS, seed=0)
    distances[epochs] = float(kerasadv.metrics.FrechetDistance(eye)(digits, made))
    pages.append(sheet(np.rint(127.5 * (made[:36] + 1)).astype("uint8"))[..., 0])
    print(f"epoch {epochs}: distance {distances[epochs]:.2f} (floor {floor:.2f})")
pages.append(sheet(np.rint(127.5 * (digits[:36] + 1)).astype("uint8"))[..., 0])
page = Image.fromarray(np.concatenate(pages, axis=1))
page.save(OUTPUT / "digits.png")
page

# %% [markdown]
# Three times the same latents, and real digits on the right. On the arc between two latents lies a
# walk from one picture to another. That its stations are pictures too says that the generator has
# not learnt the digits by heart.

# %%
ends = np.random.default_rng(2).normal(size=(12, 128))
stations = np.array(gan.averaged(walks(ends, steps=8)))
page = Image.fromarray(sheet(np.rint(127.5 * (stations + 1)).astype("uint8"), columns=8)[..., 0])
page.save(OUTPUT / "walks.png")
page

# %% [markdown]
# ## 7. Go on from here
#
# The zoo trains these networks, for longer, on these digits, on Fashion-MNIST, or on a folder of
# your own pictures, with a checkpoint after each epoch, and makes sheets, walks and arrays:
#
# ```
# python -m zoo.dcgan.train
# python -m zoo.dcgan.train --data folder --data-dir MY_PICTURES --epochs 300
# python -m zoo.dcgan.sample --weights runs/dcgan-.../model.weights.h5 --interpolate
# ```
#
# Other games are a word away: `kerasadv.losses.HingeGAN`, `LSGAN` and `WGAN`, the last with
# `kerasadv.training.GradientPenalty`. With `discriminator_steps=5` in `compile` the discriminator
# takes five steps for each of the generator, as the paper of WGAN does: another algorithm, not
# another setting.
#
# ## References
#
# * Goodfellow et al., "Generative adversarial nets", NeurIPS 2014.
# * Radford et al., "Unsupervised representation learning with deep convolutional generative
#   adversarial networks", ICLR 2016.
# * Mescheder et al., "Which training methods for GANs do actually converge?", ICML 2018.
# * Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
#   equilibrium", NeurIPS 2017.
