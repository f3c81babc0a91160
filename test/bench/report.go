package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// median of values; 0 when there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// figure prints a value with three digits that mean something.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

// cell is the median of one server, or a dash.
func (res *result) cell(srv string) string {
	if len(res.Values[srv]) == 0 {
		return "–"
	}
	return figure(median(res.Values[srv]))
}

// ratio is ours over the peer's median, or a dash.
func (res *result) ratio(peer string) string {
	ours, theirs := median(res.Values["ours"]), median(res.Values[peer])
	if ours <= 0 || theirs <= 0 {
		return "–"
	}
	return figure(ours / theirs)
}

// summary is the line for a terminal.
func (res *result) summary(order []string) string {
	var b strings.Builder
	for _, srv := range order {
		fmt.Fprintf(&b, "%s %s %s  ", srv, res.cell(srv), res.Unit)
	}
	fmt.Fprintf(&b, "ours/cyrus %s  ours/dovecot %s", res.ratio("cyrus"), res.ratio("dovecot"))
	return b.String()
}

// behind says whether ours is slower than the better peer.
func (res *result) behind() bool {
	ours := median(res.Values["ours"])
	for _, peer := range []string{"cyrus", "dovecot"} {
		if theirs := median(res.Values[peer]); ours > 0 && theirs > 0 && ours > theirs {
			return true
		}
	}
	return false
}

// markdown prints the run as a section of docs/benchmarks.md.
func (o *outcome) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. %s. Medians of %d rounds.\n\n", o.Date, o.Machine, o.Rounds)
	for _, srv := range o.Order {
		fmt.Fprintf(&b, "- %s: %s\n", srv, o.About[srv])
	}
	b.WriteString("\n| | unit | Cyrus | Dovecot | ours | ours/Cyrus | ours/Dovecot | |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |\n")
	for _, res := range o.Results {
		mark := ""
		if res.behind() {
			mark = "behind"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", res.Label, res.Unit,
			res.cell("cyrus"), res.cell("dovecot"), res.cell("ours"), res.ratio("cyrus"), res.ratio("dovecot"), mark)
	}
	for _, list := range []struct {
		title string
		lines []string
	}{{"Faults", o.Faults}, {"Notes", o.Notes}} {
		if len(list.lines) > 0 {
			fmt.Fprintf(&b, "\n%s:\n\n- %s\n", list.title, strings.Join(list.lines, "\n- "))
		}
	}
	return b.String()
}

// Marks in docs/benchmarks.md between which the table stands.
const (
	tableBegin = "<!-- table: written by make bench -->\n"
	tableEnd   = "<!-- end of table -->\n"
)

// writeTable puts the table into the file: between the marks, or as the whole
// file when it has none.
func writeTable(name, table string) error {
	old, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	before, rest, ok := strings.Cut(string(old), tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		before, after = "", ""
	}
	return os.WriteFile(name, []byte(before+tableBegin+"\n"+table+"\n"+tableEnd+after), 0o644)
}

// machine says where the run took place.
func machine() string {
	var parts []string
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if model, ok := between(string(raw), "model name\t: ", "\n"); ok {
			parts = append(parts, strings.TrimSpace(model))
		}
	}
	parts = append(parts, fmt.Sprintf("%d processors", runtime.NumCPU()))
	var u syscall.Utsname
	if syscall.Uname(&u) == nil {
		release := make([]byte, 0, len(u.Release))
		for _, c := range u.Release {
			if c == 0 {
				break
			}
			release = append(release, byte(c))
		}
		parts = append(parts, "Linux "+string(release))
	}
	return strings.Join(append(parts, runtime.Version()), ", ")
}
