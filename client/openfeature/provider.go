// Package openfeature is Splitcast behind the OpenFeature SDK for Go: a
// provider that evaluates in process by a client.Client, with events, and a
// hook that reports exposures.
//
// Exposures are reported by the hook, which the provider brings with it, after
// an evaluation that went well: at the moment of use, and not for a value of
// another type than the service asked for. The hook also serves with other
// providers whose flag metadata come from Splitcast, such as one for OFREP.
//
//	c, err := client.New(ctx, client.Config{URL: "https://splitcast.example", Token: key})
//	if err != nil {
//		return err
//	}
//	if err := of.SetProviderAndWait(openfeature.NewProvider(c)); err != nil {
//		return err
//	}
//	defer of.Shutdown()
package openfeature

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/splitcast/splitcast/client"
)

// Times and limits of a Provider.
const (
	// initTimeout bounds an initialisation that comes without a deadline: a
	// service must start without Splitcast.
	initTimeout = 5 * time.Second
	// shutdownTimeout bounds a shutdown that comes without one: it must end
	// without Splitcast, too.
	shutdownTimeout = 5 * time.Second
	// maxEvents is the number of events that wait for the SDK; of more, the
	// oldest is dropped: the newest tells what holds.
	maxEvents = 16
)

// name is the provider's in OpenFeature.
const name = "splitcast"

// Provider is an of.FeatureProvider. The client is its own: Shutdown closes it.
type Provider struct {
	c      *client.Client
	hooks  []of.Hook
	events chan of.Event
	stop   func()
}

var (
	_ of.FeatureProvider          = (*Provider)(nil)
	_ of.ContextAwareStateHandler = (*Provider)(nil)
	_ of.EventHandler             = (*Provider)(nil)
)

// NewProvider returns a Provider that evaluates by c.
func NewProvider(c *client.Client) *Provider {
	p := &Provider{c: c, hooks: []of.Hook{NewExposureHook(c)}, events: make(chan of.Event, maxEvents)}
	p.stop = c.Follow(p.tell)
	return p
}

// Metadata names the provider.
func (p *Provider) Metadata() of.Metadata { return of.Metadata{Name: name} }

// Hooks returns the hook that reports exposures.
func (p *Provider) Hooks() []of.Hook { return p.hooks }

// Init is InitWithContext without a deadline.
func (p *Provider) Init(evaluation of.EvaluationContext) error {
	return p.InitWithContext(context.Background(), evaluation)
}

// InitWithContext waits for the first configuration, until the deadline of ctx
// or for some seconds. When there is none, the provider is in error, and becomes
// ready when the server is in reach.
func (p *Provider) InitWithContext(ctx context.Context, _ of.EvaluationContext) error {
	ctx, cancel := bounded(ctx, initTimeout)
	defer cancel()
	if err := p.c.Ready(ctx); err != nil {
		return &of.ProviderInitError{ErrorCode: of.ProviderNotReadyCode, Message: err.Error()}
	}
	return nil
}

// bounded returns a context with a deadline.
func bounded(ctx context.Context, otherwise time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, otherwise)
}

// Shutdown is ShutdownWithContext without a deadline.
func (p *Provider) Shutdown() {
	_ = p.ShutdownWithContext(context.Background()) // the interface has no place for it; Stats of the client count what was left
}

// ShutdownWithContext closes the client; exposures that wait are sent, until the
// deadline of ctx or for some seconds. It returns an error when some were left.
func (p *Provider) ShutdownWithContext(ctx context.Context) error {
	ctx, cancel := bounded(ctx, shutdownTimeout)
	defer cancel()
	p.stop()
	return p.c.Close(ctx)
}

// EventChannel returns the channel of events.
func (p *Provider) EventChannel() <-chan of.Event { return p.events }

// tell passes on what the client tells.
func (p *Provider) tell(e client.Event) {
	out := of.Event{ProviderName: name, ProviderEventDetails: of.ProviderEventDetails{
		FlagChanges: e.Keys, EventMetadata: map[string]any{"config": e.Version},
	}}
	if e.Err != nil {
		out.Message = e.Err.Error()
	}
	switch e.Kind {
	case client.EventReady:
		out.EventType = of.ProviderReady
	case client.EventChanged:
		out.EventType = of.ProviderConfigChange
	case client.EventStale:
		out.EventType = of.ProviderStale
	case client.EventFailed:
		out.EventType, out.ErrorCode = of.ProviderError, of.GeneralCode
	}
	for {
		select {
		case p.events <- out:
			return
		default:
		}
		select {
		case <-p.events: // the oldest
		default:
		}
	}
}

// BooleanEvaluation returns a boolean.
func (p *Provider) BooleanEvaluation(_ context.Context, flag string, otherwise bool, flat of.FlattenedContext) of.BoolResolutionDetail {
	v, d := p.c.Bool(flag, lookAhead(flat), otherwise)
	return of.BoolResolutionDetail{Value: v, ProviderResolutionDetail: resolution(&d)}
}

// StringEvaluation returns a string.
func (p *Provider) StringEvaluation(_ context.Context, flag, otherwise string, flat of.FlattenedContext) of.StringResolutionDetail {
	v, d := p.c.String(flag, lookAhead(flat), otherwise)
	return of.StringResolutionDetail{Value: v, ProviderResolutionDetail: resolution(&d)}
}

// FloatEvaluation returns a number.
func (p *Provider) FloatEvaluation(_ context.Context, flag string, otherwise float64, flat of.FlattenedContext) of.FloatResolutionDetail {
	v, d := p.c.Float(flag, lookAhead(flat), otherwise)
	return of.FloatResolutionDetail{Value: v, ProviderResolutionDetail: resolution(&d)}
}

// IntEvaluation returns a number without a fraction.
func (p *Provider) IntEvaluation(_ context.Context, flag string, otherwise int64, flat of.FlattenedContext) of.IntResolutionDetail {
	v, d := p.c.Int(flag, lookAhead(flat), otherwise)
	return of.IntResolutionDetail{Value: v, ProviderResolutionDetail: resolution(&d)}
}

// ObjectEvaluation returns an object as a map[string]any of JSON's types.
func (p *Provider) ObjectEvaluation(_ context.Context, flag string, otherwise any, flat of.FlattenedContext) of.InterfaceResolutionDetail {
	v, d := client.Object[map[string]any](p.c, flag, lookAhead(flat), nil)
	out := of.InterfaceResolutionDetail{Value: otherwise, ProviderResolutionDetail: resolution(&d)}
	if d.Err == nil {
		out.Value = v
	}
	return out
}

// resolution says how a value came about, with the metadata that OFREP's
// answers have.
func resolution(d *client.Details) of.ProviderResolutionDetail {
	if d.Err != nil {
		return of.ProviderResolutionDetail{Reason: of.ErrorReason, ResolutionError: resolutionError(d.Err)}
	}
	return of.ProviderResolutionDetail{
		Reason: of.Reason(d.Reason), Variant: d.Variant,
		FlagMetadata: of.FlagMetadata{
			metaVersion: int64(d.Version), metaUnit: string(d.UnitType), metaAssigned: d.Assigned, metaCause: d.Cause.String(),
			"layer": d.Layer, "slot": int64(d.Slot), "position": int64(d.Position), "config": d.ConfigVersion,
		},
	}
}

func resolutionError(err error) of.ResolutionError {
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return of.NewGeneralResolutionError(err.Error())
	}
	switch e.Code {
	case client.CodeNotReady:
		return of.NewProviderNotReadyResolutionError(e.Message)
	case client.CodeNotFound:
		return of.NewFlagNotFoundResolutionError(e.Message)
	case client.CodeTypeMismatch:
		return of.NewTypeMismatchResolutionError(e.Message)
	case client.CodeKeyMissing:
		return of.NewTargetingKeyMissingResolutionError(e.Message)
	case client.CodeInvalidContext:
		return of.NewInvalidContextResolutionError(e.Message)
	case client.CodeParse:
		return of.NewParseErrorResolutionError(e.Message)
	}
	return of.NewGeneralResolutionError(e.Message)
}

// number reads a number of flag metadata: providers of remote protocols have
// JSON's.
func number(v any) int {
	switch n := v.(type) {
	case int64:
		return int(n)
	case int:
		return n
	case float64:
		return int(n)
	case json.Number:
		i, _ := n.Int64() // 0, the version that is running, when it is none
		return int(i)
	}
	return 0
}
