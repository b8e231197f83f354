package experiment

import "iter"

// ConfigStream is a Config whose experiments come one at a time, so that
// thousands of them need not be in memory at once. It is read once.
type ConfigStream struct {
	// Head is everything but the experiments.
	Head Config
	// Experiments yields them in the order of their keys, or an error and then no
	// more. What it yields is the reader's to keep.
	Experiments iter.Seq2[Streamed, error]
}

// Streamed is one experiment of a ConfigStream.
type Streamed struct {
	// Experiment is nil when the reader has it: it named the Mark.
	*Experiment

	Key  string // its key, also when Experiment is nil
	Mark Mark
}

// Mark names a state of a stored experiment: while it stays, so does the
// experiment. 0 is none.
type Mark uint64

// Stream returns the configuration as a stream.
func (c Config) Stream() ConfigStream {
	all := c.Experiments
	c.Experiments = nil
	return ConfigStream{c, func(yield func(Streamed, error) bool) {
		for i := range all {
			if !yield(Streamed{Experiment: &all[i], Key: all[i].Key}, nil) {
				return
			}
		}
	}}
}
