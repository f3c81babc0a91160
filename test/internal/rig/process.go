package rig

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// A Process is one process as /proc shows it. A pid is used again; pid and
// start time together are not.
type Process struct {
	Pid     int
	parent  int
	started string // field 22 of /proc/PID/stat, clock ticks since boot
}

// read reads /proc/PID/stat; ok is false when there is no such process, or it
// is dead and waits for its parent.
func read(pid int) (p Process, ok bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return p, false
	}
	// The name, in parentheses, may hold anything.
	f := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	if len(f) < 20 || f[0][0] == 'Z' || f[0][0] == 'X' {
		return p, false
	}
	parent, err := strconv.Atoi(string(f[1]))
	return Process{Pid: pid, parent: parent, started: string(f[19])}, err == nil
}

// Alive says whether the process still runs.
func (p Process) Alive() bool {
	now, ok := read(p.Pid)
	return ok && now.started == p.started
}

// Signal sends a signal unless the process has ended.
func (p Process) Signal(sig syscall.Signal) {
	if p.Alive() {
		syscall.Kill(p.Pid, sig)
	}
}

// Program is the path of what the process runs.
func (p Process) Program() string {
	path, err := os.Readlink("/proc/" + strconv.Itoa(p.Pid) + "/exe")
	if err != nil {
		return ""
	}
	return path
}

// RSS is the resident memory of the process in octets, without pages of files
// that it maps: those are the system's cache, and are given back on demand.
func (p Process) RSS() int64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(p.Pid) + "/statm")
	if err != nil {
		return 0
	}
	f := bytes.Fields(raw)
	if len(f) < 3 {
		return 0
	}
	resident, _ := strconv.ParseInt(string(f[1]), 10, 64)
	shared, _ := strconv.ParseInt(string(f[2]), 10, 64)
	return (resident - shared) * int64(os.Getpagesize())
}

// tree lists root, when it lives, and all processes below it.
func tree(root int) []Process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := map[int][]Process{}
	var found []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := read(pid); ok {
			children[p.parent] = append(children[p.parent], p)
			if pid == root {
				found = append(found, p)
			}
		}
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].Pid]...)
	}
	return found
}

// waitGone waits until none of the processes runs and returns those that do
// after the time is over.
func waitGone(all []Process, patience time.Duration) (left []Process) {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		left = left[:0]
		for _, p := range all {
			if p.Alive() {
				left = append(left, p)
			}
		}
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}
