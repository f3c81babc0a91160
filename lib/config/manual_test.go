package config

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write man/man5/imapd.conf.5 anew")

const manualPath = "../../man/man5/imapd.conf.5"

// TestManual holds the manual page to the table it is printed from.
func TestManual(t *testing.T) {
	want := manual()
	if *update {
		if err := os.WriteFile(manualPath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(manualPath)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the table says: run go test ./lib/config -update", manualPath)
	}
}

func manual() string {
	head, err := os.ReadFile("testdata/imapd.conf.head")
	if err != nil {
		panic(err)
	}
	foot, err := os.ReadFile("testdata/imapd.conf.foot")
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	b.Write(head)
	b.WriteString(".Sh OPTIONS\n.Bl -tag -width Ds\n")
	for i := range Options() {
		writeItem(&b, &Options()[i])
	}
	b.WriteString(".El\n.Sh FREE-FORM KEYS\nA part in angle brackets varies.\n.Bl -tag -width Ds\n")
	for _, p := range Patterns() {
		fmt.Fprintf(&b, ".It Ic %s\n%s\n", p.Key, sentence(p.Help))
	}
	b.WriteString(".El\n")
	b.Write(foot)
	return b.String()
}

func writeItem(b *strings.Builder, o *Option) {
	fmt.Fprintf(b, ".It Ic %s\n%s\n", o.Name, sentence(o.Help))
	fmt.Fprintf(b, "%s\n", sentence(kind(o)+"; "+byDefault(o)))
	if len(o.Allowed) > 0 {
		fmt.Fprintf(b, "%s\n", sentence("Words: "+wordList(o)))
	}
	if o.Deprecated != "" {
		text := "deprecated since " + o.Deprecated
		if o.UseInstead != "" {
			text += ", use " + o.UseInstead
		}
		fmt.Fprintf(b, "%s\n", sentence(text))
	} else if !o.Honoured {
		b.WriteString("Not honoured by this server.\n")
	}
}

func kind(o *Option) string {
	units := map[byte]string{'d': "days", 'h': "hours", 'm': "minutes", 's': "seconds", 'B': "octets", 'K': "units of 1024 octets"}
	switch o.Type {
	case Duration:
		return "duration, a bare number in " + units[o.Unit]
	case ByteSize:
		return "size, a bare number in " + units[o.Unit]
	case Int:
		return "number"
	case Enum, StringList:
		return "one word"
	case Bitfield:
		return "words"
	}
	return o.Type.String()
}

func byDefault(o *Option) string {
	switch {
	case o.Null:
		return "unset by default"
	case o.Default == "":
		return "empty by default"
	}
	return "default " + o.Default
}

func wordList(o *Option) string {
	var out []string
	for _, a := range o.Allowed {
		word, old := spellings(a)
		for _, w := range old {
			word += " (old spelling " + w + ")"
		}
		out = append(out, word)
	}
	return strings.Join(out, ", ")
}

var plainWord = regexp.MustCompile(`^[a-z][a-z-]*[ ,;]`)

// sentence makes text one: a capital, unless it begins with a name, and a full
// stop.
func sentence(text string) string {
	if plainWord.MatchString(text) {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return roff(text) + "."
}

// roff keeps text from being read as markup and breaks its lines.
func roff(text string) string {
	const width = 72
	var b strings.Builder
	column := 0
	for _, w := range strings.Fields(strings.ReplaceAll(text, `\`, `\e`)) {
		switch {
		case column == 0:
		case column+1+len(w) > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		if column == 0 && (w[0] == '.' || w[0] == '\'') {
			b.WriteString(`\&`)
		}
		b.WriteString(w)
		column += len(w)
	}
	return b.String()
}
