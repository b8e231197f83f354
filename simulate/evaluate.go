package simulate

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/splitcast/splitcast/experiment"
)

// assignment is what the server said of one flag.
type assignment struct {
	Key      string          `json:"key"`
	Variant  string          `json:"variant"`
	Value    json.RawMessage `json:"value"`
	Metadata struct {
		Assigned bool `json:"assigned"` // the unit is in the experiment
		Override bool `json:"override"`
	} `json:"metadata"`
}

// evaluate asks in which arms a visit is: one OFREP bulk evaluation.
func (c *client) evaluate(ctx context.Context, v *Visit) ([]assignment, error) {
	return c.flags(ctx, appendContext(nil, v))
}

// flags asks for all flags in a context.
func (c *client) flags(ctx context.Context, body []byte) ([]assignment, error) {
	answer, err := c.post(ctx, "/ofrep/v1/evaluate/flags", "application/json", body)
	if err != nil {
		return nil, err
	}
	var bulk struct {
		Flags []assignment `json:"flags"`
	}
	if err := json.Unmarshal(answer, &bulk); err != nil {
		return nil, fmt.Errorf("answer of bulk evaluation: %w", err)
	}
	return bulk.Flags, nil
}

// appendContext writes the body of an evaluation request.
func appendContext(b []byte, v *Visit) []byte {
	if b == nil {
		b = make([]byte, 0, 384)
	}
	b = append(b, `{"context":{"targetingKey":"`...)
	b = append(b, v.Who.ID...)
	b = append(b, '"')
	b = appendText(b, "country", v.Who.Country)
	b = appendText(b, "device_class", v.Who.Device.String())
	b = appendText(b, "os", v.Who.OS)
	b = appendText(b, "player", v.Who.Player)
	b = appendText(b, "player_version", v.Who.PlayerVersion)
	b = appendText(b, "net_class", v.Net.String())
	b = appendText(b, "isp", v.Who.ISP)
	b = appendText(b, "session_id", v.ID)
	return append(b, "}}"...)
}

// apply returns the settings that the flags make, and the exposures of the
// experiments that the visit is in and whose flag the player used.
func (v *Visit) apply(flags []assignment) (Settings, []experiment.Exposure) {
	set := DefaultSettings()
	var met []experiment.Exposure
	for i := range flags {
		f := &flags[i]
		used := len(f.Value) > 0 && set.Set(f.Key, f.Value)
		if !used || !f.Metadata.Assigned || f.Variant == "" {
			continue
		}
		met = append(met, experiment.Exposure{
			Experiment: f.Key,
			Unit:       v.Who.ID,
			Arm:        f.Variant,
			At:         v.Start,
			Session:    v.ID,
			Override:   f.Metadata.Override,
		})
	}
	if len(met) > 0 {
		attributes := v.Who.Attributes(v.Net)
		for i := range met {
			met[i].Attributes = attributes
		}
	}
	return set, met
}
