package client

import "time"

// WithStreamIdle shortens the time after which a silent stream counts as dead.
func WithStreamIdle(cfg Config, d time.Duration) Config {
	cfg.streamIdle = d
	return cfg
}
