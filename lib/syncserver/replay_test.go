package syncserver

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// commandsOf cuts what a client sent into its commands, literals and files
// included, without the ends of lines.
func commandsOf(text string) (list []string) {
	for text != "" {
		end := 0
		for {
			line, _, ok := strings.Cut(text[end:], "\n")
			if !ok {
				return append(list, text)
			}
			end += len(line) + 1
			n, ok := clientLiteral(line)
			if !ok {
				break
			}
			end += n
		}
		list = append(list, strings.TrimSuffix(strings.TrimSuffix(text[:end], "\n"), "\r"))
		text = text[end:]
	}
	return list
}

// clientLiteral is the size of the literal or file that a line of a client ends
// in.
func clientLiteral(line string) (int, bool) {
	line, ok := strings.CutSuffix(strings.TrimSuffix(line, "\r"), "}")
	at := strings.LastIndexByte(line, '{')
	if !ok || at < 0 {
		return 0, false
	}
	word, plus := strings.CutSuffix(line[at+1:], "+")
	if !plus {
		word = word[strings.LastIndexByte(word, ' ')+1:]
	}
	n, err := strconv.Atoi(word)
	return n, err == nil
}

// answersOf cuts what a server sent into lines, literals and files included.
func answersOf(text string) (list []string) {
	for text != "" {
		end := 0
		for {
			line, _, ok := strings.Cut(text[end:], "\n")
			if !ok {
				return append(list, text)
			}
			end += len(line) + 1
			n, ok := literalAt(line + "\n")
			if !ok {
				break
			}
			end += int(n)
		}
		list = append(list, strings.TrimSuffix(strings.TrimSuffix(text[:end], "\n"), "\r"))
		text = text[end:]
	}
	return list
}

// replays are recordings of real masters, from 3.6.1 to 3.12.3, each of which begins
// with an empty replica. What begins with "APPLY" is what happened in between and
// was not recorded.
var replays = [][]string{
	{"01-user-first", "02-user-nochange", "03-roll-first", "04-roll-append", "05-roll-rename", "06-roll-expunge-acl", "07-roll-seen-sub", "08-roll-quota-unlimited"},
	{"APPLY MAILBOX %(UNIQUEID a1 MBOXNAME user.alice SYNC_CRC 0 LAST_UID 0 HIGHESTMODSEQ 5 RECENTUID 0 RECENTTIME 0 LAST_APPENDDATE 0 " +
		"POP3_LAST_LOGIN 0 UIDVALIDITY 1 PARTITION default ACL \"alice\tlrswipkxtecdan\t\" OPTIONS P RECORD ())",
		"APPLY SUB %(USERID alice MBOXNAME user.alice)",
		"APPLY SIEVE %(USERID alice FILENAME main.script LAST_UPDATE 1 CONTENT \"keep;\")",
		"APPLY ACTIVATE_SIEVE %(USERID alice FILENAME main.bc)",
		"18-sieve-legacy-upload", "19-sieve-legacy-delete", "APPLY UNACTIVATE_SIEVE %(USERID alice)", "20-sieve-legacy-activate"},
	{"33-conversations", "34-conversations-50", "35-xconvmodseq-not-echoed"},
	{"36-literals"},
	{"37-virtdomain"},
	{"50-36-to-310-first", "51-36-to-310-nochange"},
	{"52-310-to-36-first", "53-310-to-36-nochange"},
	{"54-312-to-36-first", "55-312-to-36-roll", "56-312-to-36-nochange"},
	{"57-36-to-312-first", "58-36-to-312-nochange"},
	{"59-312-to-310-archive"},
}

// differs are the parts in which answers may differ, with the reason.
var differs = []*regexp.Regexp{
	regexp.MustCompile(` XCONVMODSEQ [0-9]+`),                    // of conversations, which the real replica has or has not: ours says what it was told
	regexp.MustCompile(` USERFLAGS \([^)]*\)`),                   // from 3.12 on
	regexp.MustCompile(` (ANNOTATION-STORAGE|MAILBOX) [0-9]+`),   // from 3.10 on
	regexp.MustCompile(`QUOTA %.*( MODSEQ [0-9]+)`),              // moves with what is used, when the two servers count it
	regexp.MustCompile(` REPLICATION-ARCHIVE`),                   // no partition for archives
	regexp.MustCompile(`LAST_UPDATE [1-9][0-9]* GUID [0-9a-f]+`), // of scripts: the time of storing them
}

// comparable is an answer without these parts.
func comparable(lines []string) string {
	text := strings.Join(lines, "\n")
	for _, r := range differs {
		text = r.ReplaceAllStringFunc(text, func(m string) string {
			if sub := r.FindStringSubmatch(m); strings.HasPrefix(m, "QUOTA") {
				return strings.TrimSuffix(m, sub[1])
			}
			return ""
		})
	}
	return text
}

// TestReplay is told what real masters said to real replicas, and answers as these
// did.
func TestReplay(t *testing.T) {
	for _, steps := range replays {
		t.Run(steps[len(steps)-1], func(t *testing.T) {
			srv := testServer(t, "")
			dial := dialer(t, srv, "tcp")
			for _, step := range steps {
				if strings.HasPrefix(step, "APPLY") {
					signIn(t, dial).want(step, "OK success")
					continue
				}
				replay(t, step, signIn(t, dial))
			}
		})
	}
}

// replay sends what the master of a recording sent, behind the login.
func replay(t *testing.T, name string, p *peer) {
	t.Helper()
	want := answersOf(fixture(t, name+".s2c"))
	for !strings.HasPrefix(want[0], "OK Success") {
		want = want[1:]
	}
	want = want[1:]
	for _, c := range commandsOf(fixture(t, name+".c2s")) {
		if strings.HasPrefix(c, "AUTHENTICATE") {
			continue
		}
		n := 0
		for strings.HasPrefix(want[n], "* ") {
			n++
		}
		if got := p.do(c); comparable(got) != comparable(want[:n+1]) {
			t.Errorf("%s: %.300s\n got %.2000q\nwant %.2000q", name, c, got, want[:n+1])
		}
		want = want[n+1:]
	}
	p.Close()
}
