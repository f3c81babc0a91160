// Package masterconf reads cyrus.conf: which programs master starts, when, and
// on which sockets.
//
//	SERVICES {
//	  imap cmd="imapd -U 30" listen="imap" prefork=5 maxchild=100
//	}
//
// The grammar is that of Cyrus's own reader, which looks for each section by
// itself from the start of the file: only the first of a name counts, what
// cannot be a section is skipped without a word, and unknown keys are ignored.
// Master runs START before it looks at SERVICES, so a mistake belongs to its
// section and to its place there: the entries before it are good.
package masterconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// DefaultPath is the file read when a program is given no other.
const DefaultPath = "/etc/cyrus.conf"

// A Section is one of the four.
type Section int

// The sections, in the order in which master reads them.
const (
	Start Section = iota
	Services
	Events
	Daemon
)

var sectionNames = [...]string{"START", "SERVICES", "EVENTS", "DAEMON"}

func (s Section) String() string { return sectionNames[s] }

// File is a cyrus.conf. The entries of a section are in file order and end
// where its syntax does: Errs holds the mistake that ended it, if one did.
type File struct {
	Start    []Entry
	Services []Entry
	Events   []Entry
	Daemons  []Entry
	Errs     [4]error // by Section; each is an *Error
}

// Error is a mistake in a cyrus.conf, in master's words.
type Error struct {
	Line int // 0: the file as a whole
	Text string
	Err  error // the reason under it, if there is one
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

// ExitCode is EX_CONFIG, with which master ends when it meets the mistake at
// its start.
func (e *Error) ExitCode() int { return 78 }

// maxFile bounds a file that is read, in octets.
const maxFile = 16 << 20

// Load reads the file at path, or DefaultPath when that is empty; below
// CYRUS_PREFIX first, if the environment has it. The error, an *Error, is only
// that of a file that cannot be read; mistakes in it are in File.Errs and
// Entry.Err, and the first of them is File.Err.
func Load(path string) (*File, error) {
	if path == "" {
		path = DefaultPath
	}
	data, err := read(path)
	if err != nil {
		reason := err
		var p *os.PathError
		if errors.As(err, &p) {
			reason = p.Err
		}
		text := reason.Error()
		text = strings.ToUpper(text[:1]) + text[1:]
		return nil, &Error{Text: fmt.Sprintf("can't open configuration file %s: %s", path, text), Err: err}
	}
	return Parse(data, path), nil
}

func read(path string) ([]byte, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("file too large")
	}
	return data, err
}

func open(path string) (*os.File, error) {
	if prefix := os.Getenv("CYRUS_PREFIX"); prefix != "" {
		if f, err := os.Open(prefix + path); err == nil {
			return f, nil
		}
	}
	return os.Open(path)
}

// Parse reads what a file holds; name stands for it in errors.
func Parse(data []byte, name string) *File {
	lines := splitLines(data)
	f := new(File)
	for _, s := range []Section{Start, Services, Events, Daemon} {
		p := parser{file: name, lines: lines, section: s}
		entries, err := p.run()
		if err != nil {
			f.Errs[s] = err
		}
		*f.entries(s) = entries
	}
	f.findTwice()
	return f
}

func (f *File) entries(s Section) *[]Entry {
	return [...]*[]Entry{&f.Start, &f.Services, &f.Events, &f.Daemons}[s]
}

// Err is the first mistake that master would meet, nil when there is none.
func (f *File) Err() error {
	for s := Start; s <= Daemon; s++ {
		for _, e := range *f.entries(s) {
			if e.Err != nil {
				return e.Err
			}
		}
		if f.Errs[s] != nil {
			return f.Errs[s]
		}
	}
	return nil
}

// findTwice marks the entries whose name another entry, in SERVICES or DAEMON,
// has before them.
func (f *File) findTwice() {
	seen := make(map[string]bool)
	for _, entries := range [][]Entry{f.Services, f.Daemons} {
		for i := range entries {
			e := &entries[i]
			if e.Err != nil {
				continue
			}
			if seen[e.Name] {
				what := "service"
				if e.Wait {
					what = "waitdaemon"
				}
				e.Err = &Error{Line: e.Line, Text: fmt.Sprintf("multiple entries for %s '%s'", what, e.Name)}
			}
			seen[e.Name] = true
		}
	}
}

// maxLine is what Cyrus's line buffer holds: a longer line goes on as if it
// were the next.
const maxLine = 4095

// splitLines cuts data into lines as fgets(3) with that buffer does, without
// their newlines and comments.
func splitLines(data []byte) []string {
	var lines []string
	for len(data) > 0 {
		n := bytes.IndexByte(data, '\n') + 1
		if n == 0 {
			n = len(data)
		}
		n = min(n, maxLine)
		line := string(bytes.TrimSuffix(data[:n], []byte("\n")))
		data = data[n:]
		line, _, _ = strings.Cut(line, "\x00") // the end, to C
		line, _, _ = strings.Cut(line, "#")
		lines = append(lines, strings.TrimLeft(line, blanks))
	}
	return lines
}

const blanks = " \t\r\v\f"
