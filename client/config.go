package client

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// Config says how a Client reaches its server. URL and Token are needed, all
// else has a default.
type Config struct {
	// URL is the server's address, such as https://splitcast.example.
	URL string
	// Token is an API key with the scopes config and ingest.
	Token string
	// HTTPClient sends the requests; nil: a client with connections of its own.
	// Its Timeout is not used: event streams last.
	HTTPClient *http.Client
	// Dir is the folder of the last good configuration, from which a start
	// without the server evaluates; empty: none is kept.
	Dir string
	// Poll is how often the configuration is asked for, give or take a fifth.
	Poll time.Duration
	// Timeout bounds each request, event streams excepted.
	Timeout time.Duration
	// StaleAfter is how long the server may be out of reach before the Client
	// says that its configuration is stale. It evaluates on regardless.
	StaleAfter time.Duration
	// QueueLen is the number of exposures that may wait to be sent.
	QueueLen int
	// NoStream leaves polling alone: no event stream is opened.
	NoStream bool
	// Now is the time of exposures; nil: the system's clock.
	Now func() time.Time
	// Log hears of troubles; nil: nobody does.
	Log *slog.Logger

	// streamIdle is after how long without a byte an event stream counts as
	// dead; tests shorten it.
	streamIdle time.Duration
	// flushEvery is how long an exposure waits for company.
	flushEvery time.Duration
}

// Defaults of a Config.
const (
	DefaultPoll     = 30 * time.Second
	DefaultTimeout  = 10 * time.Second
	DefaultQueueLen = 10_000
	// stalePolls is how many polls may fail before the configuration is stale.
	stalePolls = 3
	// defaultStreamIdle is three times the server's heartbeat: one may be late.
	defaultStreamIdle = 75 * time.Second
	// defaultFlushEvery makes batches of a busy service large and keeps an
	// exposure of a quiet one well within the seconds that matter to nobody.
	defaultFlushEvery = time.Second
)

// withDefaults checks the configuration and fills in what was left out.
func (cfg Config) withDefaults() (Config, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return cfg, experiment.Invalidf("URL", "%q is not the address of a server: https://host", cfg.URL)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return cfg, experiment.Invalidf("URL", "%q has a query or a fragment", cfg.URL)
	}
	if cfg.Token == "" {
		return cfg, experiment.Invalidf("Token", "an API key is needed")
	}
	for field, v := range map[string]time.Duration{"Poll": cfg.Poll, "Timeout": cfg.Timeout, "StaleAfter": cfg.StaleAfter} {
		if v < 0 {
			return cfg, experiment.Invalidf(field, "must not be negative")
		}
	}
	if cfg.QueueLen < 0 {
		return cfg, experiment.Invalidf("QueueLen", "must not be negative")
	}
	cfg.URL = strings.TrimSuffix(cfg.URL, "/")
	orDefault(&cfg.Poll, DefaultPoll)
	orDefault(&cfg.Timeout, DefaultTimeout)
	orDefault(&cfg.StaleAfter, stalePolls*cfg.Poll)
	orDefault(&cfg.QueueLen, DefaultQueueLen)
	orDefault(&cfg.streamIdle, defaultStreamIdle)
	orDefault(&cfg.flushEvery, defaultFlushEvery)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg, nil
}

func orDefault[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}
