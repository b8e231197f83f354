package server

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/splitcast/splitcast/metrics"
)

// instruments are what GET /metrics tells, in a registry of their own.
type instruments struct {
	registry *prometheus.Registry
	duration *prometheus.HistogramVec

	exposuresStored prometheus.Counter
	exposuresLost   *prometheus.CounterVec
	records         *prometheus.CounterVec // telemetry by source and fate
	rejections      *prometheus.CounterVec // by source and reason
	jobRuns         *prometheus.CounterVec
	jobClosed       prometheus.Counter
	jobLooks        prometheus.Counter
	flagdMismatches prometheus.Counter
}

// durationBuckets are seconds, from an evaluation to a slow report.
var durationBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

func newInstruments() *instruments {
	m := &instruments{
		registry: prometheus.NewRegistry(),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "splitcast_http_request_duration_seconds", Help: "Time to answer, by route, method and status.", Buckets: durationBuckets,
		}, []string{"route", "method", "status"}),
		exposuresStored: prometheus.NewCounter(prometheus.CounterOpts{Name: "splitcast_exposures_stored_total", Help: "Exposures committed, repetitions included."}),
		exposuresLost:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "splitcast_exposures_lost_total", Help: "Exposures of evaluations that were not stored. Alarm on any."}, []string{"reason"}),
		records:         prometheus.NewCounterVec(prometheus.CounterOpts{Name: "splitcast_telemetry_records_total", Help: "Telemetry records by source and fate."}, []string{"source", "fate"}),
		rejections:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "splitcast_telemetry_rejections_total", Help: "Values and records not taken, by source and reason."}, []string{"source", "reason"}),
		flagdMismatches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "splitcast_flagd_mismatches_total", Help: "Flags taken out of the flagd document because they differ from evaluation. Alarm on any.",
		}),
		jobRuns:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "splitcast_job_runs_total", Help: "Runs of the metrics job by result."}, []string{"result"}),
		jobClosed: prometheus.NewCounter(prometheus.CounterOpts{Name: "splitcast_job_closed_windows_total", Help: "Windows turned into outcomes."}),
		jobLooks:  prometheus.NewCounter(prometheus.CounterOpts{Name: "splitcast_job_looks_total", Help: "Looks appended."}),
	}
	m.registry.MustRegister(m.duration, m.exposuresStored, m.exposuresLost, m.records, m.rejections,
		m.jobRuns, m.jobClosed, m.jobLooks, m.flagdMismatches, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// watch adds what is read at the moment of asking.
func (m *instruments) watch(live *Live, queue *exposureQueue, flagd *Flagd, now func() time.Time) {
	gauge := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
	gauge("splitcast_config_version", "Version of the configuration in force; 0 before the first.", func() float64 {
		if snap := live.Snapshot(); snap != nil {
			return float64(snap.Version())
		}
		return 0
	})
	gauge("splitcast_config_age_seconds", "Time since the configuration came into force.", func() float64 {
		if st := live.state.Load(); st != nil {
			return now().Sub(st.since).Seconds()
		}
		return 0
	})
	gauge("splitcast_flagd_version", "Version of the configuration whose flagd document is served: the newest that passed its self-check; 0 before the first.", func() float64 { return float64(flagd.version()) })
	gauge("splitcast_flagd_faulty", "1 while the self-check keeps the newest flagd document, or flags of it, from being served. Alarm on it.", func() float64 {
		if flagd.warning() != "" {
			return 1
		}
		return 0
	})
	gauge("splitcast_exposures_queued", "Exposures that wait to be written.", func() float64 { return float64(queue.len()) })
}

func (m *instruments) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// requests measures every request by its route's pattern, never by its path:
// paths hold keys and would make series without end.
func (m *instruments) requests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		timer := prometheus.NewTimer(prometheus.ObserverFunc(func(sec float64) {
			route := chi.RouteContext(r.Context()).RoutePattern()
			if route == "" {
				route = "none"
			}
			method := "other" // any word can be a method
			if slices.Contains(methods, r.Method) {
				method = r.Method
			}
			status := cmp.Or(rec.Status(), http.StatusOK)
			m.duration.WithLabelValues(route, method, strconv.Itoa(status)).Observe(sec)
		}))
		defer timer.ObserveDuration()
		next.ServeHTTP(rec, r)
	})
}

// Ran counts a run of the metrics job; it suits metrics.Job.Loop.
func (s *Server) Ran(sum metrics.Summary, err error) {
	result := "ok"
	if err != nil {
		result = "error"
		s.log.Error("the metrics job failed", "error", err)
	}
	s.stats.jobRuns.WithLabelValues(result).Inc()
	s.stats.jobClosed.Add(float64(sum.First + sum.Day))
	s.stats.jobLooks.Add(float64(sum.Looks))
}
