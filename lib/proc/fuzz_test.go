package proc

import "testing"

// FuzzLine: a line that was written is read back as it is, whatever was in the
// fields.
func FuzzLine(f *testing.F) {
	f.Add("imap", "localhost [127.0.0.1]", "alice", "user.alice", "Idle")
	f.Add("", "\t", "\n", "\r", "\x00\xff")
	f.Fuzz(func(t *testing.T, service, client, user, mailbox, command string) {
		line := appendLine(nil, Info{0, service, client, user, mailbox, command})
		got, ok := parseLine(line)
		if !ok {
			t.Fatalf("cannot read %q", line)
		}
		if again := appendLine(nil, got); string(again) != string(line) {
			t.Errorf("wrote %q, read back and wrote %q", line, again)
		}
	})
}
