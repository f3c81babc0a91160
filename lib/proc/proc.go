// Package proc keeps the registry of running sessions that cyr_info proc,
// monitoring scripts and the login limits read.
//
// The registry is a directory with one file per process, named by its pid in
// decimal. A line is one session, five fields between tabs, empty ones kept:
//
//	service<TAB>client<TAB>user<TAB>mailbox<TAB>command
//
// Cyrus serves one session per process, so its files hold one line, and its
// own reader looks at the first line only. A process of ours serves many: its
// file has a line for each, so that `cat proc/*` shows every session and
// every file name still is a pid. A process without a session has no file.
//
// Files are replaced by rename, never synced: they describe processes, which
// no reboot survives. Changes of one process are gathered for a moment and
// written at once, so that a session costs nothing per command.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Info is one session, or one process that serves none (a daemon or an event).
// A field that is not known yet is empty.
type Info struct {
	PID     int
	Service string // name of its entry in cyrus.conf
	Client  string // "localhost [127.0.0.1]", "[unix socket]"
	User    string // who is signed in
	Mailbox string // internal name of the selected mailbox
	Command string // what it does now
}

// maxFile bounds what is read of one file: 100,000 sessions of 160 octets.
const maxFile = 16 << 20

// suffixNew ends the name of a file that is being written.
const suffixNew = ".new"

// Write registers one line for process in.PID, replacing what its file held.
// Master does so for the processes that do not register themselves.
func Write(dir string, in Info) error {
	return replace(dir, in.PID, appendLine(nil, in))
}

// Remove takes the file of a process away; it is no error when there is none.
func Remove(dir string, pid int) error {
	name := path(dir, pid)
	os.Remove(name + suffixNew)
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Clean removes the files of processes that do not live any more and returns
// how many there were. A crash leaves such a file, and its sessions would go
// on counting against maxlogins_per_user.
func Clean(dir string) (int, error) {
	names, err := readNames(dir)
	if err != nil {
		return 0, err
	}
	removed := 0
	for _, name := range names {
		pid, ok := pidOf(strings.TrimSuffix(name, suffixNew))
		if !ok || alive(pid) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err == nil {
			removed++
		}
	}
	return removed, nil
}

// List returns every session that is registered, ordered by pid as the
// directory names sort. Files that vanish or hold no valid line are passed
// over; a missing directory is an empty registry.
func List(dir string) ([]Info, error) {
	var out []Info
	err := each(dir, func(in Info) { out = append(out, in) })
	return out, err
}

// each calls fn for every registered session.
func each(dir string, fn func(Info)) error {
	names, err := readNames(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if pid, ok := pidOf(name); ok {
			eachLine(filepath.Join(dir, name), pid, fn)
		}
	}
	return nil
}

func eachLine(file string, pid int, fn func(Info)) {
	st, err := os.Lstat(file)
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxFile {
		return
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return
	}
	for line := range bytes.Lines(data) {
		if in, ok := parseLine(line); ok {
			in.PID = pid
			fn(in)
		}
	}
}

// parseLine reads one line. Like Cyrus's reader it wants the first tab only;
// fields that are missing are empty, and the last one takes the rest.
func parseLine(line []byte) (Info, bool) {
	line, _, _ = bytes.Cut(line, []byte{'\n'})
	line, _, _ = bytes.Cut(line, []byte{'\r'})
	f := strings.SplitN(string(line), "\t", 5)
	if len(f) < 2 {
		return Info{}, false
	}
	f = append(f, "", "", "")
	return Info{Service: f[0], Client: f[1], User: f[2], Mailbox: f[3], Command: f[4]}, true
}

func appendLine(b []byte, in Info) []byte {
	for i, f := range [...]string{in.Service, in.Client, in.User, in.Mailbox, in.Command} {
		if i > 0 {
			b = append(b, '\t')
		}
		b = append(b, clean(f)...)
	}
	return append(b, '\n')
}

// clean keeps a field on its line and between its tabs: parts of it, such as
// the mailbox name, are of the client's making.
func clean(s string) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, s)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// replace writes the whole file of one process, making the directory when it
// is missing.
func replace(dir string, pid int, data []byte) error {
	name := path(dir, pid)
	err := os.WriteFile(name+suffixNew, data, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("proc directory: %w", err)
		}
		err = os.WriteFile(name+suffixNew, data, 0o644)
	}
	if err != nil {
		return err
	}
	return os.Rename(name+suffixNew, name)
}

func path(dir string, pid int) string { return filepath.Join(dir, strconv.Itoa(pid)) }

func readNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// pidOf reads a file name; only plain decimal numbers name processes.
func pidOf(name string) (int, bool) {
	pid, err := strconv.ParseUint(name, 10, 31)
	return int(pid), err == nil && pid > 0
}

// alive says whether there is a process pid; one that may not be signalled is.
func alive(pid int) bool { return !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }
