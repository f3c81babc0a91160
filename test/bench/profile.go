package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A profiler records what a server's processes do while a row is timed. What it
// starts slows the server down: the table of such a run is not for keeping.
// The nil profiler records nothing.
type profiler struct {
	dir    string // for the reports
	only   string // the server looked at
	strace bool   // count system calls, rather than sample with perf
}

// start attaches to srv and returns what ends the recording and writes the report.
func (p *profiler) start(srv server, label string) (stop func(), err error) {
	if p == nil || srv.Name() != p.only {
		return func() {}, nil
	}
	var pids []string
	roots := []int{srv.Pid()}
	whom := "-p"
	if c, ok := srv.(*cyrusSite); ok && c.pair != nil {
		// sync_client is yet to be started: perf looks at the whole machine.
		roots, whom = []int{c.pair.master.Pid(), c.pair.replica.Pid()}, "-a"
	}
	for _, root := range roots {
		for _, proc := range descendants(root) {
			pids = append(pids, fmt.Sprint(proc.pid))
		}
	}
	base := filepath.Join(p.dir, srv.Name()+"-"+fileName(label))
	data := base + ".perf"
	args := []string{"record", "-q", "-e", "cpu-clock", "-F", "20000", "-g", "-o", data, whom}
	if whom == "-p" {
		args = append(args, strings.Join(pids, ","))
	}
	cmd := exec.Command("perf", args...)
	if p.strace {
		cmd = exec.Command("strace", append([]string{"-f", "-q", "-c", "-w", "-o", base + ".strace"}, each("-p", pids)...)...)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	// Neither tool says when it has attached to all.
	time.Sleep(500 * time.Millisecond)
	return func() {
		cmd.Process.Signal(syscall.SIGINT)
		cmd.Wait() // an interrupted perf fails, its data is good
		if !p.strace {
			perfReport(data, base+".txt")
		}
	}, nil
}

// perfReport turns data into text: functions by their own time, then by the
// time of all they call.
func perfReport(data, to string) {
	out, err := os.Create(to)
	if err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
		return
	}
	defer out.Close()
	for _, children := range []string{"--no-children", "--children"} {
		cmd := exec.Command("perf", "report", "--stdio", children, "-g", "none", "--percent-limit", "0.7", "-i", data)
		cmd.Stdout = out
		if err := cmd.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "perf report:", err)
		}
	}
}

// each puts flag before every value.
func each(flag string, values []string) []string {
	var out []string
	for _, v := range values {
		out = append(out, flag, v)
	}
	return out
}

// fileName makes a file name of a label.
func fileName(label string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, label)
}
