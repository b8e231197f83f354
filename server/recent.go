package server

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
	"github.com/splitcast/splitcast/metrics"
)

// Limits of what is remembered of recent data. A person who fills in a form asks
// the same many times within a minute; a minute changes nothing in seven days.
const (
	recentLife = time.Minute
	maxRecent  = 256
)

// recentData remembers answers that cost reading many rows.
type recentData struct {
	audiences recentAnswers[string, *launch.AudienceCount]
	previews  recentAnswers[previewKey, metrics.Preview]
}

type previewKey struct {
	metric  string
	version int
	unit    experiment.UnitType
}

// audienceKey tells audiences apart.
func audienceKey(unit experiment.UnitType, a *experiment.Audience) (string, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("encode audience: %w", err)
	}
	return string(unit) + " " + string(text), nil
}

// recentAnswers keeps answers for recentLife. Its zero value is ready.
type recentAnswers[K comparable, V any] struct {
	mu   sync.Mutex
	kept map[K]recentAnswer[V]
}

type recentAnswer[V any] struct {
	at    time.Time
	value V
}

// get returns the answer for a key, asking when there is none that is recent. A
// failure is not kept.
func (c *recentAnswers[K, V]) get(key K, now time.Time, ask func() (V, error)) (V, error) {
	c.mu.Lock()
	if a, ok := c.kept[key]; ok && now.Sub(a.at) < recentLife {
		c.mu.Unlock()
		return a.value, nil
	}
	c.mu.Unlock()
	value, err := ask()
	if err != nil {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= maxRecent || c.kept == nil {
		c.kept = map[K]recentAnswer[V]{}
	}
	c.kept[key] = recentAnswer[V]{now, value}
	return value, nil
}
