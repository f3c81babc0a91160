package syncclient

import (
	"strings"
	"testing"
	"time"
)

func TestWriteStatus(t *testing.T) {
	at := time.Unix(1000, 0).UTC()
	old, success := at.Add(-90*time.Second), at.Add(-time.Hour)
	all := []Status{
		{Channel: "", at: at},
		{Channel: "far", Bytes: 40, Lines: 3, Oldest: &old, LastSuccess: &success, PID: 77, at: at},
	}
	for form, want := range map[string]string{
		"text": `channel "": not running; nothing waits; never done
channel far: running, pid 77; 3 lines wait (40 octets), the oldest for 1m30s; all done 1h0m0s ago
`,
		"json": `[
  {
    "channel": "",
    "log_bytes": 0,
    "log_lines": 0,
    "oldest_entry": null,
    "last_success": null,
    "pid": 0
  },
  {
    "channel": "far",
    "log_bytes": 40,
    "log_lines": 3,
    "oldest_entry": "1970-01-01T00:15:10Z",
    "last_success": "1969-12-31T23:16:40Z",
    "pid": 77
  }
]
`,
		"prometheus": `# HELP cyrus_sync_log_bytes Octets of the sync log that are not replicated.
# TYPE cyrus_sync_log_bytes gauge
cyrus_sync_log_bytes{channel=""} 0
cyrus_sync_log_bytes{channel="far"} 40
# HELP cyrus_sync_log_lines Lines of the sync log that are not replicated.
# TYPE cyrus_sync_log_lines gauge
cyrus_sync_log_lines{channel=""} 0
cyrus_sync_log_lines{channel="far"} 3
# HELP cyrus_sync_lag_seconds Age of the oldest entry that is not replicated.
# TYPE cyrus_sync_lag_seconds gauge
cyrus_sync_lag_seconds{channel=""} 0
cyrus_sync_lag_seconds{channel="far"} 90
# HELP cyrus_sync_last_success_timestamp_seconds When all that was logged had been replicated.
# TYPE cyrus_sync_last_success_timestamp_seconds gauge
cyrus_sync_last_success_timestamp_seconds{channel=""} 0
cyrus_sync_last_success_timestamp_seconds{channel="far"} -2600
# HELP cyrus_sync_client_running Whether a sync_client works on the channel.
# TYPE cyrus_sync_client_running gauge
cyrus_sync_client_running{channel=""} 0
cyrus_sync_client_running{channel="far"} 1
`,
	} {
		var b strings.Builder
		if ok, err := WriteStatus(&b, form, all); !ok || err != nil || b.String() != want {
			t.Errorf("%s: %v %v\n%s", form, ok, err, b.String())
		}
	}
	if ok, _ := WriteStatus(&strings.Builder{}, "xml", all); ok {
		t.Error("xml is a form")
	}
}
