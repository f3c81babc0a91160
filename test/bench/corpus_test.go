package main

import (
	"bytes"
	"io"
	"net/mail"
	"testing"
)

// What clients and servers may trip over is not what the bench measures: the
// corpus is plain ASCII, CRLF, short lines, no line that starts with a dot.
func TestCorpusIsPlain(t *testing.T) {
	for i := range 60 {
		for kind, msg := range map[string][]byte{"small": small(i), "mix": mixMessage(i), "huge": huge(1000)} {
			if !bytes.HasSuffix(msg, []byte("\r\n")) {
				t.Errorf("%s %d does not end in CRLF", kind, i)
			}
			for line := range bytes.Lines(msg) {
				text, ok := bytes.CutSuffix(line, []byte("\r\n"))
				if !ok || bytes.ContainsAny(text, "\r\n") || len(text) > 120 || bytes.HasPrefix(text, []byte(".")) {
					t.Errorf("%s %d: line %q", kind, i, line)
				}
			}
			for _, b := range msg {
				if b > 126 {
					t.Fatalf("%s %d: octet %d", kind, i, b)
				}
			}
			if m, err := mail.ReadMessage(bytes.NewReader(msg)); err != nil {
				t.Errorf("%s %d: %v", kind, i, err)
			} else if _, err := io.Copy(io.Discard, m.Body); err != nil || m.Header.Get("Message-ID") == "" {
				t.Errorf("%s %d: %v, Message-ID %q", kind, i, err, m.Header.Get("Message-ID"))
			}
		}
	}
}

func TestCorpusIsTheSameEachTime(t *testing.T) {
	for i := range 20 {
		if !bytes.Equal(mixMessage(i), mixMessage(i)) {
			t.Errorf("message %d differs from itself", i)
		}
		if bytes.Equal(mixMessage(i), mixMessage(i+1)) {
			t.Errorf("messages %d and %d are equal", i, i+1)
		}
	}
}

// The counts that rows expect are those of the corpus.
func TestRareWords(t *testing.T) {
	const n = 400
	needles, bodies := 0, 0
	for i := range n {
		if bytes.Contains(small(i), []byte(needle)) {
			needles++
		}
		if bytes.Contains(mixMessage(i), []byte(bodyWord)) {
			bodies++
		}
	}
	if needles != every(n, needleStep) || bodies != every(n, bodyStep) {
		t.Errorf("%d and %d messages with the rare words, want %d and %d", needles, bodies, every(n, needleStep), every(n, bodyStep))
	}
}

func TestHeaderFields(t *testing.T) {
	const msg = "Received: a\r\nSubject: one\r\nTo: you\r\nX-Y: z\r\n\r\nTo: nobody\r\n"
	if got, want := string(headerFields([]byte(msg), []string{"TO", "SUBJECT"})), "Subject: one\r\nTo: you\r\n\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
