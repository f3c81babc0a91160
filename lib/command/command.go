// Package command runs a program the way a Cyrus script expects.
//
// Flags follow getopt_long(3) as glibc does it: short flags cluster (-rf), a
// value may be attached (-C/etc/imapd.conf), long names may be cut short where
// they stay unique, flags may follow operands, and "--" ends them. The
// complaints about bad ones are the C library's. --help is ours; -h, -v and all
// others belong to the program.
package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/log"
)

// Exit codes of sysexits.h.
const (
	ExUsage       = 64 // bad flags or operands
	ExDataErr     = 65 // input is wrong
	ExNoInput     = 66 // input cannot be read
	ExNoUser      = 67 // no such user or mailbox
	ExNoHost      = 68 // no such host
	ExUnavailable = 69 // a service is not there
	ExSoftware    = 70 // a bug
	ExOSErr       = 71 // the system failed
	ExCantCreat   = 73 // output cannot be made
	ExIOErr       = 74 // reading or writing failed
	ExTempFail    = 75 // try again later
	ExNoPerm      = 77 // not allowed
	ExConfig      = 78 // a configuration file is wrong
)

// ConfigFlag is -C, which every program takes.
var ConfigFlag = &cli.StringFlag{Name: "C", Usage: "read `config-file` instead of imapd.conf", DefaultText: "/etc/imapd.conf"}

const (
	usageCodeKey   = "usage code"
	lenientFlagKey = "lenient flags"
)

// UsageCode sets the status that app ends with on wrong usage, for the many
// programs where Cyrus has another than 64, and returns app.
func UsageCode(app *cli.App, code int) *cli.App { return mark(app, usageCodeKey, code) }

// LenientFlags makes app complain of flags it does not know and go on, as
// master does, and returns app.
func LenientFlags(app *cli.App) *cli.App { return mark(app, lenientFlagKey, true) }

func mark(app *cli.App, key string, v any) *cli.App {
	if app.Metadata == nil {
		app.Metadata = make(map[string]any)
	}
	app.Metadata[key] = v
	return app
}

// Main runs app with the process's arguments and exits as Run says.
func Main(app *cli.App) {
	code := Run(app, os.Args)
	log.Flush(time.Second)
	os.Exit(code)
}

// Run is Main without the exit; tests call it. The status is 0 when the action
// returned nil, the usage code for Usage and bad flags, the code of an error
// that has one (Fatal, config.Error, cli.Exit), else 1. An error with a code
// but no text prints nothing.
func Run(app *cli.App, argv []string) int {
	prepare(app)
	args, err := getopt(argv, app.Flags)
	if err != nil {
		if errors.Is(err, errHelp) {
			writeUsage(app.Writer, app)
			return 0
		}
		fmt.Fprintln(app.ErrWriter, err)
		if lenient, _ := app.Metadata[lenientFlagKey].(bool); !lenient {
			writeUsage(app.ErrWriter, app)
			return usageCode(app)
		}
	}
	return report(app, argv[0], app.Run(append(argv[:1:1], args...)))
}

// prepare turns off everything that urfave/cli adds of its own: its help and
// version flags would take -h and -v from the program, and its help command an
// operand.
func prepare(app *cli.App) {
	app.HideHelp = true
	app.HideHelpCommand = true
	app.HideVersion = true
	app.DisableSliceFlagSeparator = true
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.OnUsageError = func(_ *cli.Context, err error, _ bool) error { return Usage(err.Error()) }
	app.Setup()
}

func init() {
	// The library looks for these by name after parsing, hidden or not.
	cli.HelpFlag = nil
	cli.VersionFlag = &cli.BoolFlag{Name: "\x00version"}
}

// report tells of err on standard error and returns the exit status.
func report(app *cli.App, argv0 string, err error) int {
	if err == nil {
		return 0
	}
	var u usageError
	if errors.As(err, &u) {
		if u != "" {
			fmt.Fprintf(app.ErrWriter, "%s: %s\n", argv0, u)
		}
		writeUsage(app.ErrWriter, app)
		return usageCode(app)
	}
	var coder cli.ExitCoder
	if errors.As(err, &coder) {
		if err.Error() != "" {
			fmt.Fprintf(app.ErrWriter, "fatal error: %v\n", err)
		}
		return coder.ExitCode()
	}
	fmt.Fprintf(app.ErrWriter, "%s: %v\n", filepath.Base(argv0), err)
	return 1
}

type usageError string

func (e usageError) Error() string { return string(e) }

// Usage is the error of a caller who got flags or operands wrong: Run prints
// it, if it is not empty, and the usage text, and ends with the usage code.
func Usage(msg string) error { return usageError(msg) }

func usageCode(app *cli.App) int {
	if code, ok := app.Metadata[usageCodeKey].(int); ok {
		return code
	}
	return ExUsage
}

type fatalError struct {
	code int
	err  error
}

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }
func (e *fatalError) ExitCode() int { return e.code }

// Fatal gives err an exit status; Run prints "fatal error: " before its text.
// Fatal of nil is nil.
func Fatal(code int, err error) error {
	if err == nil {
		return nil
	}
	return &fatalError{code, err}
}

// Status ends the program with code and without a word: for failures that the
// program has told of already.
func Status(code int) error {
	if code == 0 {
		return nil
	}
	return cli.Exit("", code)
}

// writeUsage prints app's UsageText, word for word, or a list of its flags when
// it has none.
func writeUsage(w io.Writer, app *cli.App) {
	if app.UsageText != "" {
		fmt.Fprintln(w, strings.TrimRight(app.UsageText, "\n"))
		return
	}
	fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("usage: %s [flags] %s", app.Name, app.ArgsUsage), " "))
	for _, f := range app.Flags {
		fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(f.String(), "\t", "  "))
	}
}
