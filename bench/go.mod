module github.com/splitcast/splitcast/bench

go 1.26.8

replace github.com/splitcast/splitcast => ../

require (
	github.com/go-chi/chi/v5 v5.5.0
	github.com/growthbook/growthbook-golang v0.7.0
	github.com/launchdarkly/go-sdk-common/v3 v3.1.0
	github.com/launchdarkly/go-server-sdk-evaluation/v3 v3.0.1
	github.com/splitcast/splitcast v0.0.0
	github.com/twmb/murmur3 v1.2.2
)

require (
	github.com/josharian/intern v1.0.0 // indirect
	github.com/launchdarkly/go-jsonstream/v3 v3.1.0 // indirect
	github.com/launchdarkly/go-semver v1.0.3 // indirect
	github.com/mailru/easyjson v0.7.7 // indirect
	github.com/tmaxmax/go-sse v0.10.0 // indirect
	golang.org/x/exp v0.0.0-20220823124025-807a23277127 // indirect
)
