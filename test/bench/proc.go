package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one process as /proc shows it. A pid is used again; pid and start
// time together are not.
type process struct {
	pid, parent int
	started     string // field 22 of /proc/PID/stat, in clock ticks since boot
}

// readProcess reads /proc/PID/stat.
func readProcess(pid int) (process, bool) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false // it ended meanwhile
	}
	// The name, in parentheses, may hold anything.
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	if len(fields) < 20 {
		return process{}, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return process{}, false
	}
	return process{pid, parent, string(fields[19])}, true
}

// end kills the process unless it has ended already.
func (p process) end() {
	if now, ok := readProcess(p.pid); ok && now.started == p.started {
		syscall.Kill(p.pid, syscall.SIGKILL)
	}
}

// descendants lists root and all processes below it.
func descendants(root int) []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := map[int][]process{}
	var found []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid); ok {
			children[p.parent] = append(children[p.parent], p)
			if pid == root {
				found = append(found, p)
			}
		}
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found
}

// pss sums the proportional set size of root and its descendants, in KiB:
// pages that processes share are counted once.
func pss(root int) int {
	total := 0
	for _, p := range descendants(root) {
		total += pssOf(p.pid)
	}
	return total
}

func pssOf(pid int) int {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if rest, ok := strings.CutPrefix(sc.Text(), "Pss:"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(rest, "kB")))
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// settledPSS reads pss until it stops changing: daemons finish what they began,
// collectors run.
func settledPSS(root int) int {
	last := pss(root)
	for range 20 {
		time.Sleep(500 * time.Millisecond)
		now := pss(root)
		if diff := now - last; diff < 0 && -diff*200 < now || diff >= 0 && diff*200 < now {
			return now
		}
		last = now
	}
	return last
}

// available is the memory that can be had without swapping, in KiB.
func available() int {
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}
