package syncclient

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"gocyrus/lib/synclog"
)

// Status is how far the replica of a channel is behind.
type Status struct {
	Channel     string     `json:"channel"` // empty is the default one
	Bytes       int64      `json:"log_bytes"`
	Lines       int64      `json:"log_lines"`
	Oldest      *time.Time `json:"oldest_entry"` // null: nothing waits
	LastSuccess *time.Time `json:"last_success"` // when nothing waited; null: never
	PID         int        `json:"pid"`          // of the sync_client at work; 0 is none

	at time.Time
}

// StatusOf looks at a channel. It takes no lock and asks nobody.
func StatusOf(o synclog.Options, channel string) (Status, error) {
	s := Status{Channel: channel, at: time.Now()}
	lag, err := synclog.LagOf(o, channel)
	if err != nil {
		return s, err
	}
	s.Bytes, s.Lines = lag.Bytes, lag.Lines
	s.Oldest, s.LastSuccess = known(lag.Oldest), known(lag.LastSuccess)
	s.PID = runningPID(filepath.Join(channelDir(o, channel), pidFile))
	return s, nil
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// age is how long ago t was, in seconds.
func (s *Status) age(t *time.Time) float64 {
	if t == nil {
		return 0
	}
	return max(s.at.Sub(*t).Seconds(), 0)
}

func (s *Status) name() string {
	if s.Channel == "" {
		return `""`
	}
	return s.Channel
}

// WriteStatus prints channels in a form: "text", "json" or "prometheus". ok is false
// for another.
func WriteStatus(w io.Writer, form string, all []Status) (ok bool, err error) {
	switch form {
	case "text":
		return true, writeText(w, all)
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return true, e.Encode(all)
	case "prometheus":
		return true, writeMetrics(w, all)
	}
	return false, nil
}

func writeText(w io.Writer, all []Status) error {
	for i := range all {
		s := &all[i]
		running := "not running"
		if s.PID != 0 {
			running = fmt.Sprintf("running, pid %d", s.PID)
		}
		waiting := "nothing waits"
		if s.Lines > 0 {
			waiting = fmt.Sprintf("%d lines wait (%d octets), the oldest for %s", s.Lines, s.Bytes, span(s.age(s.Oldest)))
		}
		success := "never done"
		if s.LastSuccess != nil {
			success = fmt.Sprintf("all done %s ago", span(s.age(s.LastSuccess)))
		}
		if _, err := fmt.Fprintf(w, "channel %s: %s; %s; %s\n", s.name(), running, waiting, success); err != nil {
			return err
		}
	}
	return nil
}

func span(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(100 * time.Millisecond).String()
}

// metrics are the figures in Prometheus's text form.
var metrics = []struct {
	name, help string
	value      func(*Status) float64
}{
	{"cyrus_sync_log_bytes", "Octets of the sync log that are not replicated.", func(s *Status) float64 { return float64(s.Bytes) }},
	{"cyrus_sync_log_lines", "Lines of the sync log that are not replicated.", func(s *Status) float64 { return float64(s.Lines) }},
	{"cyrus_sync_lag_seconds", "Age of the oldest entry that is not replicated.", func(s *Status) float64 { return s.age(s.Oldest) }},
	{"cyrus_sync_last_success_timestamp_seconds", "When all that was logged had been replicated.", func(s *Status) float64 {
		if s.LastSuccess == nil {
			return 0
		}
		return float64(s.LastSuccess.UnixMilli()) / 1000
	}},
	{"cyrus_sync_client_running", "Whether a sync_client works on the channel.", func(s *Status) float64 {
		if s.PID != 0 {
			return 1
		}
		return 0
	}},
}

func writeMetrics(w io.Writer, all []Status) error {
	var b strings.Builder
	for _, m := range metrics {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", m.name, m.help, m.name)
		for i := range all {
			fmt.Fprintf(&b, "%s{channel=%q} %g\n", m.name, all[i].Channel, m.value(&all[i]))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
