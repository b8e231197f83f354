package experiment

import "iter"

// ConfigStream is a Config whose experiments come one at a time, so that
// thousands of them need not be in memory at once. It is read once.
type ConfigStream struct {
	// Head is everything but the experiments.
	Head Config
	// Experiments yields them in the order of their keys, or an error and then no
	// more. What it yields is the reader's to keep.
	Experiments iter.Seq2[*Experiment, error]
}

// Stream returns the configuration as a stream.
func (c Config) Stream() ConfigStream {
	all := c.Experiments
	c.Experiments = nil
	return ConfigStream{c, func(yield func(*Experiment, error) bool) {
		for i := range all {
			if !yield(&all[i], nil) {
				return
			}
		}
	}}
}
