#!/usr/bin/env python3
"""Writes vectors.json: what any evaluator of Splitcast's configuration must answer.

A second implementation, written from the documentation alone, so that the Go
code is not its own judge. Run: python3 vectors.py > vectors.json
"""
import base64
import hashlib
import json
import random
import re


def murmur3(data: bytes, seed: int = 0) -> int:
    """MurmurHash3_x86_32 by Austin Appleby."""
    c1, c2, m = 0xCC9E2D51, 0x1B873593, 0xFFFFFFFF
    rotl = lambda x, r: ((x << r) | (x >> (32 - r))) & m
    h = seed
    body = len(data) // 4 * 4
    for i in range(0, body, 4):
        k = int.from_bytes(data[i:i + 4], "little")
        k = rotl(k * c1 & m, 15) * c2 & m
        h = (rotl(h ^ k, 13) * 5 + 0xE6546B64) & m
    if data[body:]:
        k = int.from_bytes(data[body:], "little")
        h ^= rotl(k * c1 & m, 15) * c2 & m
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & m
    h = (h ^ h >> 13) * 0xC2B2AE35 & m
    return h ^ h >> 16


# Vectors that others published for seed 0.
assert murmur3(b"") == 0
assert murmur3(b"test") == 0xBA6BD213
assert murmur3(b"Hello, world!") == 0xC0363E43
assert murmur3(b"The quick brown fox jumps over the lazy dog") == 0x2E4FF723


def position(salt, unit, total):
    return murmur3(f"{salt}:{unit}".encode()) * total >> 32


def version(v):
    """Sort key of semver.org section 11, or None."""
    m = re.fullmatch(r"v?(\d{1,19})(?:\.(\d{1,19}))?(?:\.(\d{1,19}))?(?:-([^+]+))?(?:\+.*)?", v) if isinstance(v, str) else None
    if not m:
        return None
    core = tuple(int(x or 0) for x in m.groups()[:3])
    pre = m.group(4)
    if pre is None:
        return core, (1,)
    return core, (0, tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in pre.split(".")))


def number(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool)


def same(a, b):
    kinds = (bool, str)
    for k in kinds:
        if isinstance(a, k) or isinstance(b, k):
            return isinstance(a, k) and isinstance(b, k) and a == b
    return number(a) and number(b) and a == b


def holds(rule, ctx, unit):
    if "all" in rule:
        return all(holds(r, ctx, unit) for r in rule["all"])
    if "any" in rule:
        return any(holds(r, ctx, unit) for r in rule["any"])
    if "not" in rule:
        return not holds(rule["not"], ctx, unit)
    if "list" in rule:
        return ((ctx.get(rule["attr"]) if "attr" in rule else unit) in LISTS[rule["list"]]) == (rule["op"] == "in_list")
    op, have, x = rule["op"], ctx.get(rule["attr"]) is not None, ctx.get(rule["attr"])
    v = rule.get("value")
    if op == "present":
        return have
    if op == "absent":
        return not have
    if op == "eq":
        return same(x, v)
    if op == "ne":
        return not same(x, v)
    if op == "in":
        return any(same(x, y) for y in rule["values"])
    if op == "not_in":
        return not any(same(x, y) for y in rule["values"])
    if op in ("lt", "le", "gt", "ge"):
        return number(x) and {"lt": x < v, "le": x <= v, "gt": x > v, "ge": x >= v}[op]
    if op.startswith("semver_"):
        a, b = version(x), version(v)
        return a is not None and {"eq": a == b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}[op[7:]]
    if not isinstance(x, str):
        return False
    return {"contains": v in x, "starts_with": x.startswith(v), "ends_with": x.endswith(v)}[op]


def evaluate(e, layers, ctx):
    """What the experiment answers to the context, and which step decided."""
    unit = ctx.get(e["unit"] + "_id", ctx["targetingKey"])
    keys = [a["key"] for a in e["arms"]]
    live = e["status"] == "running"
    if unit in e.get("overrides", {}):
        return {"variant": e["overrides"][unit], "cause": "override", "assigned": live and not e.get("shipped_arm")}
    out = {"variant": keys[0], "assigned": False}
    kept = e["status"] == "paused" and e.get("on_pause") == "keep"
    if e["status"] == "paused" and not kept or e["status"] == "stopped" and not e.get("shipped_arm"):
        return {"variant": keys[0], "cause": "inactive", "assigned": False}
    for h in HOLDOUTS:
        if h["unit"] == e["unit"] and "ignore_holdouts" not in e and position(h["salt"], unit, 10000) < h["slots"]:
            return out | {"cause": "holdout", "holdout": h["key"]}
    if e.get("shipped_arm"):
        return {"variant": e["shipped_arm"], "cause": "shipped", "assigned": False}
    slot = position(layers[e.get("layer", e["key"])], unit, 10000)
    if kept and unit not in KEPT[e["key"]]:
        return out | {"cause": "inactive"}
    if not kept:
        if "audience" in e and not holds(e["audience"], ctx, unit):
            return out | {"cause": "audience"}
        for r in e.get("requires", []):
            other = evaluate(next(x for x in EXPERIMENTS if x["key"] == r["experiment"]), layers, ctx)
            if other["cause"] not in ("split", "kept", "override", "shipped") or other["variant"] not in r["arms"]:
                return out | {"cause": "requires"}
        if not any(r["from"] <= slot < r["to"] for r in e["slot_ranges"]):
            return out | {"cause": "slots", "slot": slot}
    pos = position(e["salt"], unit, sum(a["weight"] for a in e["arms"]))
    below = 0
    for a in e["arms"]:
        below += a["weight"]
        if pos < below and a.get("dropped"):
            return out | {"cause": "dropped", "slot": slot, "position": pos}
        if pos < below:
            return {"variant": a["key"], "cause": "kept" if kept else "split", "assigned": True, "slot": slot, "position": pos}


def experiment(key, unit="viewer", weights=(1, 1), slots=((0, 10000),), **more):
    arms = [{"key": k, "weight": w, "value": k} for k, w in zip(("control", "b", "c", "d"), weights)]
    return {"key": key, "name": key, "unit": unit, "design": "ab", "arms": arms, "status": "running", "id": 1, "version": 1,
            "plan": {"primary": []}, "salt": f"{key}-3f9a", "slot_ranges": [{"from": a, "to": b} for a, b in slots], "plan_hash": "",
            "created_at": "2026-01-01T00:00:00Z"} | more


def rule(attr, op, value=None):
    r = {"attr": attr, "op": op}
    if isinstance(value, list):
        return r | {"values": value}
    return r if value is None else r | {"value": value}


EXPERIMENTS = [
    experiment("half"),
    experiment("thirds", weights=(1, 1, 1)),
    experiment("uneven", weights=(90, 5, 3, 2)),
    experiment("heavy", weights=(999_999, 1)),
    experiment("layer-a", layer="player", slots=((0, 3000), (6000, 7000))),
    experiment("layer-b", layer="player", slots=((3000, 6000),)),
    experiment("hosts", unit="broadcaster"),
    experiment("sessions", unit="session"),
    experiment("forced", overrides={"qa-1": "b", "unit-3": "control"}),
    experiment("paused", status="paused", overrides={"qa-1": "b"}),
    experiment("stopped", status="stopped"),
    experiment("shipped", status="stopped", shipped_arm="b", slots=((0, 100),), audience=rule("country", "in", ["DE", "FR"])),
    experiment("versions", audience={"all": [rule("app_version", "semver_ge", "5.2.0"), rule("app_version", "semver_lt", "6.0.0-rc.1")]}),
    experiment("mixed", audience={"any": [
        {"all": [rule("country", "in", ["DE", "FR", "JP"]), rule("build", "ge", 5000), {"not": rule("kids", "eq", True)}]},
        rule("player", "starts_with", "hls"), rule("net", "ends_with", "g"), rule("os", "contains", "droid"), rule("beta", "present")]}),
    experiment("negative", audience={"all": [rule("country", "ne", "US"), rule("player", "not_in", ["shaka", "dash.js"]), rule("beta", "absent")]}),
    experiment("types", audience={"any": [rule("build", "in", [5000, "5000", True]), rule("kids", "ne", False), rule("build", "lt", 10.5),
                                          rule("build", "gt", 1e6), rule("build", "le", -1)]}),
    experiment("dropped", weights=(2, 1, 1), slots=((0, 8000),)),
    experiment("held", unit="device"),
    experiment("held-shipped", unit="device", status="stopped", shipped_arm="b"),
    experiment("held-not", unit="device", ignore_holdouts="a fix of security is for everyone"),
    experiment("kept", unit="block", status="paused", on_pause="keep", weights=(1, 1, 1), slots=((0, 10),), audience=rule("beta", "absent")),
    experiment("kept-not", status="paused", on_pause="control"),
    experiment("requires", unit="device", requires=[{"experiment": "held", "arms": ["b"]}]),
    experiment("requires-deep", unit="device", requires=[{"experiment": "requires", "arms": ["control", "b"]}, {"experiment": "held-shipped", "arms": ["b"]}]),
    experiment("requires-stopped", requires=[{"experiment": "stopped", "arms": ["control", "b"]}]),
    experiment("requires-forced", requires=[{"experiment": "forced", "arms": ["b"]}]),
    experiment("requires-dropped", requires=[{"experiment": "dropped", "arms": ["control", "b"]}]),
    experiment("listed", audience={"op": "in_list", "list": "some"}),
    experiment("listed-not", unit="broadcaster", audience={"op": "not_in_list", "list": "some"}),
    experiment("listed-attr", audience={"any": [rule("country", "in_list") | {"list": "some"}, rule("os", "not_in_list") | {"list": "some"}]}),
    experiment("many", audience=rule("country", "in", ["DE", "FR", "JP", "BR", "KR", "IT", "ES", "PL", "SE", "NO", 7])),
]

next(e for e in EXPERIMENTS if e["key"] == "dropped")["arms"][1]["dropped"] = True
HOLDOUTS = [{"key": "programme", "unit": "device", "slots": 2500, "salt": "programme-11d2"}, {"key": "quarter", "unit": "device", "slots": 1000, "salt": "quarter-0c77"}]
LISTS = {"some": ["unit-1", "unit-2", "unit-3", "unit-44", "host-1", "DE", "ios"]}
KEPT = {"kept": [f"unit-{i}" for i in range(0, 60, 3)]}


def unit_set(ids):
    """Base64 of the first 64 bits of each SHA-256, ascending."""
    return base64.b64encode(b"".join(sorted(hashlib.sha256(i.encode()).digest()[:8] for i in ids))).decode()


def contexts():
    r = random.Random(20260101)
    pick = {
        "country": ["DE", "FR", "US", "JP", "NO", 7], "player": ["hls.js", "dash.js", "shaka", "native"],
        "app_version": ["5.1.9", "5.2.0", "5.2", "v5.10.0", "6.0.0-beta", "6.0.0-rc.1", "6.0.0-rc.1.1", "6", "nightly", 5.2],
        "build": [5000, 4999, "5000", 5000.5, 3, 2e6, -1, True], "kids": [True, False, "true"], "net": ["4g", "5g", "wifi"],
        "os": ["android", "ios"], "beta": [True, "", 0], "broadcaster_id": ["host-1", "host-2"], "session_id": ["s-1", "s-2"],
    }
    for i in range(60):
        ctx = {"targetingKey": f"unit-{i}" if i % 5 else ["qa-1", f"{r.getrandbits(64):016x}", "a b~!", "x" * 128, "0"][i // 5 % 5]}
        for k, vs in pick.items():
            if r.random() < 0.6:
                ctx[k] = r.choice(vs)
        yield ctx


def main():
    keys = {e.get("layer", e["key"]): e["unit"] for e in EXPERIMENTS}
    layers = {k: f"{k}-layer-71c0" for k in keys}
    hashed = ["", "a", "ab", "abc", "abcd", "test", "Hello, world!", "The quick brown fox jumps over the lazy dog", "exp_0001:viewer-1"]
    lines = lambda rows: "[\n" + ",\n".join("    " + json.dumps(r) for r in rows) + "\n  ]"
    config = {"version": 3, "layers": [{"key": k, "unit": keys[k], "salt": s} for k, s in layers.items()], "experiments": EXPERIMENTS, "keys": [],
              "holdouts": HOLDOUTS, "lists": [{"key": k, "ids": v} for k, v in LISTS.items()],
              "kept": [{"experiment": k, "version": 1, "units": unit_set(v)} for k, v in KEPT.items()]}
    positions = [(s, f"viewer-{i}", w) for i in range(8) for s, w in (("exp_0001", 2), ("exp_0001", 3), ("player", 10000), ("s", 2**31 - 1))]
    print("{")
    print('  "murmur3_x86_32": ' + lines({"text": t, "hash": murmur3(t.encode())} for t in hashed) + ",")
    print('  "positions": ' + lines({"salt": s, "unit": u, "total": w, "position": position(s, u, w)} for s, u, w in positions) + ",")
    print('  "config": ' + json.dumps(config) + ",")
    print('  "evaluations": ' + lines({"experiment": e["key"], "context": c} | evaluate(e, layers, c) for c in contexts() for e in EXPERIMENTS))
    print("}")


main()
