package lmtpclient

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"

	"gocyrus/lib/backend"
)

// serve plays a server: for each command of the script, which must come, its
// reply. It returns what came between DATA and the dot.
func serve(t *testing.T, c net.Conn, script [][2]string, data *string) {
	defer c.Close()
	r := bufio.NewReader(c)
	fmt.Fprint(c, "220 x LMTP\r\n")
	for _, step := range script {
		line, err := r.ReadString('\n')
		if line != step[0]+"\r\n" {
			t.Errorf("got %q, %v; want %q", line, err, step[0])
			return
		}
		fmt.Fprint(c, step[1]+"\r\n")
		if step[0] != "DATA" || !strings.HasPrefix(step[1], "354") {
			continue
		}
		for {
			line, err := r.ReadString('\n')
			if err != nil || line == ".\r\n" {
				break
			}
			*data += line
		}
		fmt.Fprint(c, "250 2.1.5 Success\r\n452 4.2.2 Over quota\r\n")
	}
}

var hello = [2]string{"LHLO deliver", "250-x\r\n250-AUTH EXTERNAL\r\n250 IGNOREQUOTA"}

func send(t *testing.T, script [][2]string, tr *Transaction, msg string) (results []Result, data string, err error) {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(t, there, append([][2]string{hello}, script...), &data)
	}()
	c, err := backend.New(t.Context(), backend.LMTP, here, backend.Options{Hello: "deliver"})
	if err != nil {
		t.Fatal(err)
	}
	results, err = Send(c, tr, strings.NewReader(msg))
	c.Close()
	<-done
	return results, data, err
}

func TestSend(t *testing.T) {
	results, data, err := send(t, [][2]string{
		{"MAIL FROM:<a@b> AUTH=b+2Bc", "250 2.1.0 ok"},
		{"RCPT TO:<alice> IGNOREQUOTA", "250 2.1.5 ok"},
		{"RCPT TO:<nobody>", "550-Mailbox unknown\r\n550 5.1.1 User unknown"},
		{"RCPT TO:<bob>", "250 2.1.5 ok"},
		{"DATA", "354 go ahead"},
	}, &Transaction{From: "a@b", Auth: "b+c", To: []Recipient{{"alice", true}, {"nobody", false}, {"bob", false}}},
		"Subject: x\n\n.dot\r\nlone\rCR\nend")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Result{{Code: 250, Text: "2.1.5 Success"}, {Code: 550, Text: "5.1.1 User unknown", Early: true}, {Code: 452, Text: "4.2.2 Over quota"}} {
		if results[i] != want {
			t.Errorf("recipient %d: %v, want %v", i, results[i], want)
		}
	}
	if want := "Subject: x\r\n\r\n..dot\r\nloneCR\r\nend\r\n"; data != want {
		t.Errorf("data %q, want %q", data, want)
	}
}

func TestSendRefused(t *testing.T) {
	to := []Recipient{{"alice", false}, {"bob", false}}
	for _, tc := range []struct {
		name      string
		script    [][2]string
		temporary bool
	}{
		{"MAIL", [][2]string{{"MAIL FROM:<> AUTH=<>", "430 Authentication required"}}, true},
		{"MAIL for good", [][2]string{{"MAIL FROM:<> AUTH=<>", "530 Authentication required"}}, false},
		{"lost", [][2]string{{"MAIL FROM:<> AUTH=<>", "250 ok"}, {"RCPT TO:<alice>", "250 ok"}}, true},
		{"no reply at all", [][2]string{{"MAIL FROM:<> AUTH=<>", "hm"}}, true},
		{"DATA", [][2]string{{"MAIL FROM:<> AUTH=<>", "250 ok"}, {"RCPT TO:<alice>", "250 ok"}, {"RCPT TO:<bob>", "250 ok"},
			{"DATA", "250 what?"}}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			results, _, _ := send(t, tc.script, &Transaction{From: "<>", To: to}, "x")
			for i, r := range results {
				if r.Good() || r.Temporary() != tc.temporary || r.Permanent() == tc.temporary {
					t.Errorf("recipient %d: %v", i, r)
				}
			}
		})
	}
}

// An address cannot smuggle a command.
func TestSendLineBreak(t *testing.T) {
	results, _, err := send(t, [][2]string{{"MAIL FROM:<> AUTH=<>", "250 ok"}},
		&Transaction{From: "", To: []Recipient{{"a>\r\nQUIT\r\n<", false}}}, "x")
	if err != nil || !results[0].Permanent() {
		t.Errorf("%v, %v", results, err)
	}
}

// FuzzStuff checks that a message is lines with CRLF only, that no line but the
// last is a dot, and that nothing but CRs is lost.
func FuzzStuff(f *testing.F) {
	for _, s := range []string{"", ".", ".\n", "a\n.\r\nb", "\r", "x\r\r\n..", "\r.\r\nMAIL", "\r\r", strings.Repeat("y", 70000) + "\n."} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		if err := stuff(w, bytes.NewReader(msg)); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		text, ok := strings.CutSuffix(b.String(), ".\r\n")
		if !ok {
			t.Fatalf("%q has no end", b.String())
		}
		var got strings.Builder
		for line := range strings.Lines(text) {
			body, ok := strings.CutSuffix(line, "\r\n")
			if !ok || strings.Contains(body, "\r") || body == "." {
				t.Errorf("line %q", line)
			}
			got.WriteString(strings.TrimPrefix(body, ".") + "\n")
		}
		want := strings.ReplaceAll(string(msg), "\r", "")
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		// A line of CRs alone at the end is an empty line.
		if got := got.String(); got != want && got != want+"\n" {
			t.Errorf("%q became %q", msg, got)
		}
	})
}
