package command

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/config"
)

func TestGetopt(t *testing.T) {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "C"},
		&cli.BoolFlag{Name: "r", Aliases: []string{"recursive"}},
		&cli.BoolFlag{Name: "f", Aliases: []string{"force"}},
		&cli.StringFlag{Name: "service", Aliases: []string{"n"}},
		&cli.StringFlag{Name: "since", Aliases: []string{"s"}},
	}
	for _, tc := range []struct{ name, in, want, err string }{
		{"separate value", "-C x -r a", "--C=x --r -- a", ""},
		{"attached value", "-Cx a", "--C=x -- a", ""},
		{"cluster", "-rf a", "--r --f -- a", ""},
		{"cluster ends in a value", "-rCx a", "--r --C=x -- a", ""},
		{"flags after operands", "a -r b", "--r -- a b", ""},
		{"double dash", "-r -- -f", "--r -- -f", ""},
		{"single dash is an operand", "-", "-- -", ""},
		{"value that looks like a flag", "-C -r", "--C=-r --", ""},
		{"value that is a double dash", "-C -- a", "--C=-- -- a", ""},
		{"repeated", "-r -rr", "--r --r --r --", ""},
		{"long", "--recursive a", "--r -- a", ""},
		{"long with =", "--service=imap", "--service=imap --", ""},
		{"long with empty value", "--service=", "--service= --", ""},
		{"long with a word", "--service imap a", "--service=imap -- a", ""},
		{"cut short", "--rec --ser imap", "--r --service=imap --", ""},
		{"missing value", "-C", "--", "prog: option requires an argument -- 'C'"},
		{"unknown", "-rz", "--r --", "prog: invalid option -- 'z'"},
		{"unknown long", "--zap", "--", "prog: unrecognized option '--zap'"},
		{"short name with two dashes", "--C x", "-- x", "prog: unrecognized option '--C'"},
		{"ambiguous", "--s 1", "-- 1", "prog: option '--s' is ambiguous; possibilities: '--service' '--since'"},
		{"missing long value", "--service", "--", "prog: option '--service' requires an argument"},
		{"value not wanted", "--force=1", "--", "prog: option '--force' doesn't allow an argument"},
		{"first complaint", "-z -y a", "-- a", "prog: invalid option -- 'z'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := getopt(append([]string{"prog"}, strings.Fields(tc.in)...), flags)
			if want := strings.Fields(tc.want); !slices.Equal(got, want) {
				t.Errorf("getopt(%q) = %q, want %q", tc.in, got, want)
			}
			if text := fmt.Sprint(err); err != nil && text != tc.err || err == nil && tc.err != "" {
				t.Errorf("getopt(%q): error %q, want %q", tc.in, text, tc.err)
			}
		})
	}
}

// FuzzGetopt checks that every word is accounted for: package flag never sees
// one it could read in another way.
func FuzzGetopt(f *testing.F) {
	for _, s := range []string{"-C x -r a", "-rCx", "--service=imap -- -f", "--s", "-", "--", "--help"} {
		f.Add(s)
	}
	flags := []cli.Flag{
		&cli.StringFlag{Name: "C"},
		&cli.BoolFlag{Name: "r"},
		&cli.StringFlag{Name: "service", Aliases: []string{"n"}},
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Fields(line)
		out, _ := getopt(append([]string{"prog"}, args...), flags)
		end := slices.Index(out, "--")
		if end < 0 {
			t.Fatalf("getopt(%q) = %q: no end of flags", args, out)
		}
		for _, w := range out[:end] {
			if w != "--r" && !strings.HasPrefix(w, "--C=") && !strings.HasPrefix(w, "--service=") {
				t.Errorf("getopt(%q): word %q", args, w)
			}
		}
		for _, w := range out[end+1:] {
			if !slices.Contains(args, w) {
				t.Errorf("getopt(%q): operand %q out of nowhere", args, w)
			}
		}
	})
}

func TestRun(t *testing.T) {
	boom := errors.New("boom")
	for _, tc := range []struct {
		name   string
		args   string
		err    error
		code   int
		stderr string // what it begins with
	}{
		{"well", "", nil, 0, ""},
		{"plain error", "", boom, 1, "prog: boom\n"},
		{"fatal", "", Fatal(ExTempFail, boom), 75, "fatal error: boom\n"},
		{"wrapped fatal", "", fmt.Errorf("while: %w", Fatal(ExIOErr, boom)), 74, "fatal error: while: boom\n"},
		{"configuration", "", &config.Error{Text: "bad line"}, 78, "fatal error: bad line\n"},
		{"status only", "", Status(3), 3, ""},
		{"status 0", "", Status(0), 0, ""},
		{"fatal nil", "", Fatal(75, nil), 0, ""},
		{"usage", "", Usage("no mailbox named"), 64, "/x/prog: no mailbox named\nusage: prog [flags] box...\n"},
		{"silent usage", "", Usage(""), 64, "usage: prog [flags] box...\n"},
		{"bad flag", "-z", nil, 64, "/x/prog: invalid option -- 'z'\nusage: prog [flags] box...\n"},
		{"operand that is a command of the library", "help", nil, 0, ""},
		{"-h and -v are the program's", "-h -v", nil, 0, ""},
		{"help", "--help", nil, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			app := &cli.App{
				Name: "prog", ArgsUsage: "box...", Version: "1",
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "h"}, &cli.BoolFlag{Name: "v"}},
				Writer: &out, ErrWriter: &errs,
				Action: func(*cli.Context) error { return tc.err },
			}
			code := Run(app, append([]string{"/x/prog"}, strings.Fields(tc.args)...))
			if code != tc.code {
				t.Errorf("status %d, want %d", code, tc.code)
			}
			if got := errs.String(); !strings.HasPrefix(got, tc.stderr) || tc.stderr == "" && got != "" {
				t.Errorf("stderr %q, want %q", got, tc.stderr)
			}
			if help := strings.HasPrefix(out.String(), "usage: prog"); help != (tc.args == "--help") {
				t.Errorf("stdout %q", out.String())
			}
		})
	}
}

func TestUsageCode(t *testing.T) {
	app := UsageCode(&cli.App{Name: "ctl", UsageText: "ctl -x\n", ErrWriter: new(bytes.Buffer)}, 255)
	if code := Run(app, []string{"ctl", "-z"}); code != 255 {
		t.Errorf("status %d, want 255", code)
	}
	if got, want := fmt.Sprint(app.ErrWriter), "ctl: invalid option -- 'z'\nctl -x\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
}

// Master complains of flags it does not know, and starts.
func TestLenientFlags(t *testing.T) {
	var errs bytes.Buffer
	var d int
	app := LenientFlags(&cli.App{
		Name: "master", ErrWriter: &errs,
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "d"}, &cli.BoolFlag{Name: "v"}},
		Action: func(c *cli.Context) error { d = c.Count("v"); return nil },
	})
	if code := Run(app, []string{"master", "-h", "-vvd"}); code != 0 || d != 2 {
		t.Errorf("status %d, -v counted %d; want 0 and 2", code, d)
	}
	if got, want := errs.String(), "master: invalid option -- 'h'\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
}

func TestValues(t *testing.T) {
	var got []string
	app := &cli.App{
		Name:  "prog",
		Flags: []cli.Flag{&cli.StringSliceFlag{Name: "o", Aliases: []string{"option"}}, &cli.IntFlag{Name: "E"}},
		Action: func(c *cli.Context) error {
			got = append(c.StringSlice("option"), fmt.Sprint(c.Int("E")))
			return nil
		},
	}
	if code := Run(app, []string{"prog", "-oa,b", "-E", "-3", "--opt", "c"}); code != 0 {
		t.Fatalf("status %d", code)
	}
	if want := []string{"a,b", "c", "-3"}; !slices.Equal(got, want) {
		t.Errorf("values %q, want %q", got, want)
	}
}
