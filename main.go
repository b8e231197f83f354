// Command splitcast is an experimentation platform for live video: it assigns
// viewers and broadcasters to arms, takes the telemetry of players, turns it
// into outcomes, and shows sequential tests that stay valid however often
// anyone looks.
//
//	splitcast demo                  # a simulated platform on http://127.0.0.1:8080
//	splitcast serve                 # the server, with a private PostgreSQL
//	splitcast apply -f FILE         # create or update experiments
//	splitcast plan --share 0.97 …   # how many units and days an effect takes
//	splitcast ship KEY --arm ARM    # stop it and serve the arm to everyone
//	splitcast report KEY --json     # the report of an experiment
//	splitcast audit exposures       # derive every recorded arm again
//	splitcast import KEY FILE       # outcomes, exposures or sessions from elsewhere
//	splitcast export KEY -o FILE    # its outcomes as CSV, NDJSON or Parquet
//
// This package only wires the others together.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli are the commands and their flags.
type cli struct {
	Serve   serveCmd   `cmd:"" help:"Run the server, with the metrics job inside."`
	Job     jobCmd     `cmd:"" help:"Run the metrics job alone."`
	Retain  retainCmd  `cmd:"" help:"Drop facts that are older than so many days, except what experiments still need."`
	Migrate migrateCmd `cmd:"" help:"Bring the database's schema to the newest version."`
	Demo    demoCmd    `cmd:"" help:"Run everything on a simulated live platform: two weeks in about a minute, then in real time."`
	Apply   applyCmd   `cmd:"" help:"Create or update experiments from a document; prints what changes."`
	Ship    shipCmd    `cmd:"" help:"Stop an experiment and serve one of its arms to everyone."`
	Remove  removeCmd  `cmd:"" help:"Serve control again instead of the arm that an experiment shipped."`
	Restart restartCmd `cmd:"" help:"Run an experiment anew: every unit is drawn again, under a new version."`
	Restate restateCmd `cmd:"" help:"Compute a day of an experiment again from what is known now, as a new look."`
	Report  reportCmd  `cmd:"" help:"Print the report of an experiment."`
	Audit   auditCmd   `cmd:"" help:"Check what is recorded."`
	Plan    planCmd    `cmd:"" help:"Print how many units and days it takes to find an effect."`
	Analyze analyzeCmd `cmd:"" help:"Print a scorecard of rows that someone else collected."`
	Import  importCmd  `cmd:"" help:"Import what others measured: units with their outcomes, or exposures and sessions."`
	Export  exportCmd  `cmd:"" help:"Write outcomes, cells or looks of an experiment to a file, or a notebook that computes its effects again."`
	Probe   probeCmd   `cmd:"" help:"Print whether a server is ready, for the health checks of containers."`
	Version versionCmd `cmd:"" help:"Print the version."`

	LogLevel slog.Level `default:"info" help:"debug, info, warn or error." env:"SPLITCAST_LOG_LEVEL"`
}

// runtime is what commands get from the process.
type runtime struct {
	ctx  context.Context //nolint:containedctx // one command runs once, under this context
	out  io.Writer
	errs io.Writer
	log  *slog.Logger
}

func main() { os.Exit(exitCode(os.Args[1:])) }

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// exitCode runs the process until its command ends or it is told to stop. A
// second signal ends it at once.
func exitCode(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := run(ctx, args, os.Stdout, os.Stderr)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "splitcast:", err)
	if _, ok := errors.AsType[*kong.ParseError](err); ok {
		return exitUsage
	}
	return exitFailure
}

// run runs one command line. Tests call it, too.
func run(ctx context.Context, args []string, out, errs io.Writer) error {
	var c cli
	exited := false
	parser, err := kong.New(&c, kong.Name("splitcast"), kong.UsageOnError(), kong.Writers(out, errs),
		kong.Description("Experimentation for live video: assignment, telemetry, and sequential tests valid at any look."),
		kong.Exit(func(int) { exited = true }))
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if exited { // --help was asked for and answered
		return nil
	}
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: c.LogLevel}))
	return parsed.Run(&runtime{ctx: ctx, out: out, errs: errs, log: log})
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(rt *runtime) error {
	_, err := fmt.Fprintln(rt.out, version())
	return err
}

// version returns the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}
