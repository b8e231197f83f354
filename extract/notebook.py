import csv
import json
import math
import os
# %%
# The file of outcomes; SPLITCAST_OUTCOMES names another place.
FILE = os.environ.get("SPLITCAST_OUTCOMES", CONFIG["experiment"] + "-outcomes.csv")


def passage(quantities, metric):
    """The pair of a unit in a funnel of units: whether who reached the first step reached the last."""
    steps, reached, known = metric["steps"], 0, True
    if metric["in_order"]:
        count = quantities.get("funnel:" + metric["metric"], "")
        known = count != "" and "funnel_open:" + metric["metric"] not in quantities
        reached = int(float(count or 0))
    else:
        while reached < len(steps) and known:
            count = quantities.get(steps[reached], "")
            known = count != ""
            if not known or not float(count) > 0:
                break
            reached += 1
    if reached == 0 or reached < len(steps) and not known:
        return None
    return (1.0 if reached >= len(steps) else 0.0, 1.0)


def value(row, metric):
    """The pair (numerator, denominator) of a unit, or None when it is no part of the metric."""
    if row["window"] != metric["window"] or int(row["look"]) > CONFIG["look"]:
        return None
    if CONFIG["exclude_suspected"] and row["suspected"] == "true":
        return None
    quantities = dict(row, **json.loads(row["custom"] or "{}"))
    if metric["steps"]:
        return passage(quantities, metric)
    y, x = (quantities.get(name, "") for name in (metric["numerator"], metric["denominator"]))
    if x == "" or y == "":
        return None
    y, x = float(y), float(x)
    if not x > 0 or x < metric["floor"]:
        return None
    if metric["any"]:
        y = 1.0 if y > 0 else 0.0
    if metric["cap_at"] is not None:
        y = min(y, metric["cap_at"])
    return (y / x, 1.0) if metric["per_unit"] else (y, x)


pairs = {}
with open(FILE, newline="") as f:
    for row in csv.DictReader(f):
        for i, metric in enumerate(CONFIG["primary"]):
            if row["arm"] in (CONFIG["control"], metric["arm"]):
                pair = value(row, metric)
                if pair is not None:
                    pairs.setdefault((i, row["arm"]), []).append(pair)
# %%
def estimate(kind, values, level):
    """The value of an arm and the variance that one unit contributes to it."""
    n = len(values)
    ys, xs = [y for y, _ in values], [x for _, x in values]
    mean_y, mean_x = math.fsum(ys) / n, math.fsum(xs) / n
    if kind == "proportion":
        return mean_y, mean_y * (1 - mean_y)
    if kind == "mean":
        return mean_y, math.fsum((y - mean_y) ** 2 for y in ys) / (n - 1)
    if kind == "ratio":  # delta method: the variance of the linearised residual
        ratio = mean_y / mean_x
        return ratio, math.fsum((y - mean_y - ratio * (x - mean_x)) ** 2 for y, x in values) / (n - 1) / mean_x ** 2
    # The report reads a histogram, which is within 1 % of this, and its error.
    return sorted(ys)[min(n - 1, math.ceil(level * n) - 1)], None


def radius(variance, n, alpha, n_opt):
    """Half the width of the interval that is valid at every look (Waudby-Smith et al. 2024)."""
    goal, low, high = 2 * math.log(1 / alpha), 0.0, 1e6
    for _ in range(200):  # u - ln(1 + u) = goal
        u = (low + high) / 2
        low, high = (u, high) if u - math.log1p(u) < goal else (low, u)
    k = n * u / n_opt
    return math.sqrt(variance * 2 * (k + 1) / k * math.log(math.sqrt(k + 1) / alpha))


def compare(metric, control, treatment):
    out = {"metric": metric["metric"], "arm": metric["arm"], "n_control": len(control), "n_treatment": len(treatment)}
    if min(len(control), len(treatment)) < 2:
        return dict(out, refused="an arm has less than two units")
    (c, vc), (t, vt) = (estimate(metric["kind"], v, metric["level"]) for v in (control, treatment))
    out.update(control=c * metric["scale"], treatment=t * metric["scale"])
    if c <= 0 or t <= 0:
        return dict(out, refused="a relative effect needs positive values")
    out["lift"] = t / c - 1
    if vc is None:
        return out
    nc, nt = len(control), len(treatment)
    rc, rt = vc / c ** 2, vt / t ** 2
    variance = rc / nc + rt / nt
    if metric["unequal"] and metric["kind"] != "proportion":
        pooled = ((nc - 1) * rc + (nt - 1) * rt) / (nc + nt - 2)
        variance = max(variance, pooled * (1 / nc + 1 / nt))
    if variance > 0:
        r = radius(variance, nc + nt, metric["alpha"], metric["n_opt"])
        out.update(se=math.sqrt(variance), lower=(1 + out["lift"]) * math.exp(-r) - 1, upper=(1 + out["lift"]) * math.exp(r) - 1)
    return out


RESULTS = [
    compare(metric, pairs.get((i, CONFIG["control"]), []), pairs.get((i, metric["arm"]), []))
    for i, metric in enumerate(CONFIG["primary"])
]
for metric, result in zip(CONFIG["primary"], RESULTS):
    print(f"{metric['name']}, {metric['arm']} against {CONFIG['control']}:")
    for name, number in result.items():
        if name not in ("metric", "arm"):
            print(f"  {name}: {number}")
