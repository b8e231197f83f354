// Splitcast for web pages, https://splitcast.example/sdk/splitcast.js. No build
// step, no dependency. It asks the server once for all experiments of a
// context (OFREP), keeps the answer for the next page, asks again when the
// server says that something changed, and reports an exposure when the page
// first uses a value.
//
//   const sc = new Splitcast({url, key, context: {targetingKey: viewer, session_id: sid, country: "DE"}});
//   await sc.ready;
//   if (sc.get("autoplay", false)) video.play();
//
// The key is a public one with the scope evaluate. Nothing here throws after
// the constructor: without the server a page gets its defaults.
"use strict";
(() => {
  const minPauseMs = 1000, maxPauseMs = 60000; // between tries, doubling
  const jitter = (ms) => ms * (0.8 + 0.4 * Math.random()); // pages that opened together
  const backoff = (failures) => jitter(Math.min(minPauseMs * 2 ** Math.min(failures - 1, 6), maxPauseMs));

  // after keeps at most one timer of a purpose.
  class Timer {
    set(ms, act) {
      this.clear();
      this.id = setTimeout(() => { this.id = undefined; act(); }, ms);
    }
    clear() {
      clearTimeout(this.id);
      this.id = undefined;
    }
    get running() { return this.id !== undefined; }
  }

  // retryAfterMs is what an answer asks to wait; 0 when it does not say.
  const retryAfterMs = (response) => Math.min((Number(response.headers.get("Retry-After")) || 0) * 1000, maxPauseMs);

  // sameType tells whether a value may stand for the page's default.
  const sameType = (value, otherwise) => otherwise === undefined || otherwise === null || typeof value === typeof otherwise;

  // The attribute that carries the id of a unit type; each wins over the targeting key.
  const unitOf = (context, type) => context[type + "_id"] || context.targetingKey;

  // Limits of an exposure, as the server has them.
  const maxAttributes = 32, maxAttributeBytes = 256;
  const bytes = (text) => new TextEncoder().encode(text).length;
  const attributesOf = (context) => {
    const out = {};
    let n = 0;
    for (const [name, value] of Object.entries(context)) {
      if (n === maxAttributes || name === "targetingKey" || name === "session_id" || name.startsWith("splitcast.")) continue;
      if (!["string", "number", "boolean"].includes(typeof value)) continue;
      const text = String(value);
      if (bytes(name) > maxAttributeBytes || bytes(text) > maxAttributeBytes || (name + text).includes("\0")) continue;
      out[name] = text;
      n++;
    }
    return out;
  };

  // Exposures reports the first use of an experiment by a unit, in batches.
  // What was not acknowledged is sent again: the server keeps the earliest.
  class Exposures {
    static maxQueue = 500;      // beyond it exposures are dropped, and counted
    static maxBatch = 50;       // a keepalive request or a beacon may have 64 kB in all
    static maxSeen = 2000;
    static flushMs = 1000;
    static maxRefusals = 3;     // a replica may learn of an experiment some seconds later

    constructor(options) {
      this.url = options.url.replace(/\/+$/, "") + "/v1/exposures";
      this.key = options.key;
      this.clock = options.clock;
      this.queue = [];
      this.seen = new Set();
      this.sent = this.dropped = this.rejected = 0;
      this.failures = 0;
      this.timer = new Timer();
      this.leave = () => { if (document.visibilityState === "hidden") this.beacon(); };
      addEventListener("pagehide", this.beaconAtEnd = () => this.beacon());
      document.addEventListener("visibilitychange", this.leave); // the last event that mobile browsers are sure to send
    }

    // met takes what OFREP says of one flag, at the moment of its use.
    met(flag, context) {
      const meta = flag.metadata || {};
      if (meta.assigned !== true || context["splitcast.expose"] === false) return;
      const unit = unitOf(context, meta.unit);
      if (!unit) return;
      const session = typeof context.session_id === "string" ? context.session_id : undefined;
      const id = JSON.stringify([flag.key, meta.version, flag.variant, unit, session]);
      if (this.seen.has(id)) return;
      if (this.queue.length >= Exposures.maxQueue) { this.dropped++; return; }
      if (this.seen.size >= Exposures.maxSeen) this.seen.delete(this.seen.values().next().value); // the oldest
      this.seen.add(id);
      this.queue.push({tries: 0, record: {
        experiment: flag.key, version: meta.version, unit, arm: flag.variant, at: this.clock(), session,
        attributes: attributesOf(context), override: meta.cause === "override" || undefined,
      }});
      if (!this.timer.running && !this.sending) this.timer.set(Exposures.flushMs, () => this.flush());
    }

    async flush() {
      if (this.sending || !this.queue.length) return;
      this.timer.clear();
      const batch = this.queue.slice(0, Exposures.maxBatch); // stays in the queue until it is acknowledged
      this.sending = true;
      let pause = 0;
      try {
        const response = await fetch(this.url, {
          method: "POST", keepalive: true, credentials: "omit",
          headers: {Authorization: "Bearer " + this.key, "Content-Type": "application/json"},
          body: JSON.stringify(batch.map((x) => x.record)),
        });
        pause = retryAfterMs(response);
        if (response.status !== 200 && response.status !== 400) throw new Error("status " + response.status);
        const answer = await response.json();
        this.settle(batch, response.status === 400 ? batch.map((_, index) => ({index})) : answer.rejected || []);
        this.failures = 0;
      } catch {
        this.failures++;
      }
      this.sending = false;
      if (!this.queue.length || this.closed) return;
      const again = this.failures || this.queue[0].tries;
      this.timer.set(again ? Math.max(backoff(again), pause) : 0, () => this.flush());
    }

    // settle takes a batch out of the queue, but for what is worth another try.
    settle(batch, rejected) {
      const refused = new Set(rejected.map((r) => batch[r.index]));
      const again = [];
      for (const x of refused) {
        if (++x.tries < Exposures.maxRefusals) again.push(x); else this.rejected++;
      }
      this.sent += batch.length - refused.size;
      this.queue = this.queue.filter((x) => !batch.includes(x)).concat(again);
    }

    // beacon sends all that waits, and what is on its way, because the page may
    // end now. A beacon carries no header, so the key is in the address. There
    // is no answer: the queue stays, for a page that comes back.
    beacon() {
      for (let i = 0; i < this.queue.length; i += Exposures.maxBatch) {
        const body = JSON.stringify(this.queue.slice(i, i + Exposures.maxBatch).map((x) => x.record));
        if (!navigator.sendBeacon(this.url + "/" + encodeURIComponent(this.key), body)) return; // too much at once
      }
    }

    close() {
      this.closed = true;
      this.beacon();
      this.timer.clear();
      removeEventListener("pagehide", this.beaconAtEnd);
      document.removeEventListener("visibilitychange", this.leave);
    }
  }

  class Splitcast {
    static pollMs = 300000;     // a stream that died silently is found by asking
    static staleMs = 86400000;  // an answer on disk older than a day is not used
    static hiddenMs = 120000;   // a page hidden for so long needs no stream
    static spreadMs = 1000;     // all pages hear of a change at once, and need not ask at once

    // options: url, key, context; optional: cache (false: nothing is stored),
    // stream (false: only polling), onError.
    constructor(options) {
      if (!options || !options.url || !options.key) throw new TypeError("Splitcast needs a url and a key");
      this.options = options;
      this.url = options.url.replace(/\/+$/, "");
      this.context = {...options.context};
      this.flags = new Map();
      this.listeners = new Set();
      this.skewMs = undefined;  // server's time minus ours
      this.failures = 0;
      this.fetches = 0;
      this.generation = 0;      // grows with the context, so that answers to an earlier one are known as such
      this.turn = this.newest = 0; // number of the last question, and of the last one answered: answers may overtake
      this.error = null;
      this.pollTimer = new Timer();
      this.streamTimer = new Timer();
      this.noticeTimer = new Timer();
      this.hiddenTimer = new Timer();
      this.exposures = new Exposures({...options, clock: () => this.now()});
      this.onVisibility = () => this.visibilityChanged();
      document.addEventListener("visibilitychange", this.onVisibility);
      this.ready = new Promise((resolve) => { this.resolveReady = resolve; });
      this.restore();
      this.refresh();
    }

    // get returns the experiment's value, or otherwise when there is none of its
    // type, and reports the exposure of a unit that takes part.
    get(key, otherwise) {
      const flag = this.flags.get(key);
      if (!flag || flag.value === undefined || !sameType(flag.value, otherwise)) return otherwise;
      this.exposures.met(flag, this.context);
      return flag.value;
    }

    // details returns what is known of an experiment, without an exposure.
    details(key) { return this.flags.get(key); }

    // setContext replaces the context; the promise ends when its answer is there.
    setContext(context) {
      this.context = {...context};
      this.generation++;
      this.etag = undefined;
      this.flags = new Map(); // another viewer's arms are nobody's
      this.ready = new Promise((resolve) => { this.resolveReady = resolve; });
      this.restore();
      return this.refresh();
    }

    // onChange calls tell with the keys whose value changed; it returns what
    // ends that.
    onChange(tell) {
      this.listeners.add(tell);
      return () => this.listeners.delete(tell);
    }

    // refresh asks the server. etag names the configuration that a notice told of.
    async refresh(etag) {
      if (this.closed) return;
      this.pollTimer.clear();
      const generation = this.generation, turn = ++this.turn;
      const late = () => generation !== this.generation || turn < this.newest || this.closed;
      const headers = {Authorization: "Bearer " + this.options.key, "Content-Type": "application/json"};
      if (this.etag) headers["If-None-Match"] = this.etag;
      const query = etag ? "?flagConfigEtag=" + encodeURIComponent(etag) : "";
      let pause = 0;
      try {
        const asked = Date.now();
        this.fetches++;
        const response = await fetch(this.url + "/ofrep/v1/evaluate/flags" + query, {
          method: "POST", headers, credentials: "omit", cache: "no-store", body: JSON.stringify({context: this.context}),
        });
        if (late()) return;
        pause = retryAfterMs(response);
        this.setClock(response, asked);
        if (response.status === 200) {
          const answer = await response.json();
          if (late()) return;
          this.adopt(answer, response.headers.get("ETag"));
        } else if (response.status !== 304) {
          const problem = await response.json().catch(() => ({}));
          throw Object.assign(new Error(problem.errorDetails || problem.detail || "status " + response.status), {status: response.status});
        }
        this.newest = turn;
        this.failures = 0;
        this.error = null;
        this.resolveReady();
      } catch (error) {
        if (late()) return;
        this.failures++;
        this.error = error;
        if (this.options.onError) this.options.onError(error);
        if (error.status >= 400 && error.status < 500 && error.status !== 429) pause = Splitcast.pollMs; // asking again soon does not help
      }
      this.pollTimer.set(this.failures ? Math.max(backoff(this.failures), pause) : jitter(Splitcast.pollMs), () => this.refresh());
    }

    adopt(answer, etag) {
      const before = this.flags;
      this.flags = new Map((answer.flags || []).map((flag) => [flag.key, flag]));
      this.etag = etag || undefined;
      this.store(answer);
      const keys = new Set([...before.keys(), ...this.flags.keys()].filter((key) => {
        const a = before.get(key), b = this.flags.get(key);
        return JSON.stringify(a && [a.variant, a.value]) !== JSON.stringify(b && [b.variant, b.value]);
      }));
      if (before.size && keys.size) for (const tell of this.listeners) tell([...keys]);
      this.listen((answer.eventStreams || [])[0]);
    }

    // Clocks of browsers are wrong by hours; an exposure is timed by the server's.
    setClock(response, asked) {
      const date = Date.parse(response.headers.get("Date"));
      if (date) this.skewMs = date - (asked + Date.now()) / 2;
    }

    // now is the server's time, in text; undefined, which means the time of
    // arrival, before it is known.
    now() {
      return this.skewMs === undefined ? undefined : new Date(Date.now() + this.skewMs).toISOString();
    }

    // listen opens the event stream that an answer names, unless it is open.
    listen(stream) {
      if (this.options.stream === false || !stream || typeof EventSource === "undefined") return;
      this.stream = stream;
      if (this.source || this.streamTimer.running || document.visibilityState === "hidden") return;
      const url = stream.url || new URL(stream.endpoint.requestUri, (stream.endpoint.origin || this.url) + "/").href;
      const source = this.source = new EventSource(url);
      source.onopen = () => { this.streamFailures = 0; };
      source.onmessage = (event) => {
        let data = {};
        try { data = JSON.parse(event.data); } catch { /* not for us */ }
        if (data.type !== "refetchEvaluation") return;
        this.noticeTimer.set(Math.random() * Splitcast.spreadMs, () => this.refresh(data.etag));
      };
      source.onerror = () => {
        if (source.readyState !== EventSource.CLOSED) return; // it connects again by itself
        this.unlisten();
        this.streamFailures = (this.streamFailures || 0) + 1;
        this.streamTimer.set(backoff(this.streamFailures), () => this.refresh()); // its answer opens the stream anew
      };
    }

    unlisten() {
      if (this.source) this.source.close();
      this.source = undefined;
    }

    // A hidden page closes its stream after a while; one that is seen again asks
    // for what it missed.
    visibilityChanged() {
      if (document.visibilityState === "hidden") {
        this.hiddenTimer.set(Splitcast.hiddenMs, () => { this.unlisten(); this.pollTimer.clear(); this.slept = true; });
        return;
      }
      this.hiddenTimer.clear();
      if (!this.slept) return;
      this.slept = false;
      this.refresh().then(() => this.listen(this.stream));
    }

    // The answer is kept for the next page, under the context that it answers.
    get cacheKey() { return "splitcast " + this.url; }

    store(answer) {
      if (this.options.cache === false) return;
      try {
        localStorage.setItem(this.cacheKey, JSON.stringify({context: this.context, etag: this.etag, answer, at: Date.now()}));
      } catch { /* private window or full: the next page asks */ }
    }

    restore() {
      if (this.options.cache === false) return;
      try {
        const kept = JSON.parse(localStorage.getItem(this.cacheKey));
        if (!kept || JSON.stringify(kept.context) !== JSON.stringify(this.context) || Date.now() - kept.at > Splitcast.staleMs) return;
        this.flags = new Map(kept.answer.flags.map((flag) => [flag.key, flag]));
        this.etag = kept.etag;
        this.stream = kept.answer.eventStreams && kept.answer.eventStreams[0];
        this.listen(this.stream);
        this.resolveReady();
      } catch { /* nothing that can be used */ }
    }

    // stats counts what happened.
    stats() {
      const {queue, sent, dropped, rejected} = this.exposures;
      return {fetches: this.fetches, experiments: this.flags.size, queued: queue.length, sent, dropped, rejected};
    }

    // close ends everything; exposures that wait are sent.
    close() {
      this.closed = true;
      this.pollTimer.clear();
      this.streamTimer.clear();
      this.noticeTimer.clear();
      this.hiddenTimer.clear();
      this.unlisten();
      document.removeEventListener("visibilitychange", this.onVisibility);
      this.exposures.close();
    }

    // exposureHook returns a hook for the OpenFeature web SDK with its OFREP
    // provider: it reports an exposure when the page evaluates a flag, which is
    // when it uses it. options: url, key.
    static exposureHook(options) {
      const exposures = new Exposures({...options, clock: () => undefined});
      return {
        after: (hook, details) => exposures.met({key: details.flagKey, variant: details.variant, metadata: details.flagMetadata}, hook.context || {}),
        close: () => exposures.close(),
        stats: () => ({queued: exposures.queue.length, sent: exposures.sent, dropped: exposures.dropped, rejected: exposures.rejected}),
      };
    }
  }

  globalThis.Splitcast = Splitcast;
})();
