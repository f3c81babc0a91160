package annotate

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"gocyrus/lib/acl"
)

// Vendor is in front of Cyrus's own entries, which a site cannot define.
const Vendor = "/vendor/cmu/cyrus-imapd/"

// Place is what an annotation is of.
type Place uint8

const (
	OfServer Place = iota
	OfMailbox
	OfMessage
)

var placeNames = map[string]Place{"server": OfServer, "mailbox": OfMailbox, "message": OfMessage}

// A Definition is an annotation that the site defines, a line of the file that
// annotation_definitions names.
type Definition struct {
	Name   string // in lower case, without /shared or /private
	Place  Place
	Kind   Kind
	Shared bool       // there is a value for all
	Own    bool       // each user may have one
	Rights acl.Rights // that are needed beyond the usual ones to set the value for all
}

// maxLine is the length of the longest line of the file, in octets.
const maxLine = 1024

// ParseDefinitions reads lines of the form
//
//	name, server|mailbox|message, kind, proxy|backend|proxy_and_backend, attributes, rights
//
// with "#" in front of comments (imapd.conf(5), annotation_definitions). A line
// that is wrong is passed over, and bad told why; so are those for proxies only,
// of which this server is none. The error is that of reading.
func ParseDefinitions(in io.Reader, bad func(line int, err error)) ([]Definition, error) {
	var all []Definition
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		d, here, err := parseDefinition(text)
		if err != nil {
			bad(n, err)
			continue
		}
		if here {
			all = append(all, d)
		}
	}
	return all, lines.Err()
}

// parseDefinition reads one line; here is false for one that is for proxies.
func parseDefinition(text string) (d Definition, here bool, err error) {
	f := strings.Split(text, ",")
	for i := range f {
		f[i] = strings.TrimSpace(f[i])
	}
	if len(f) != 6 {
		return d, false, fmt.Errorf("%d fields, want 6", len(f))
	}
	d.Name = strings.ToLower(f[0])
	if err := checkName(d.Name); err != nil {
		return d, false, err
	}
	var ok bool
	if d.Place, ok = placeNames[strings.ToLower(f[1])]; !ok {
		return d, false, fmt.Errorf("invalid annotation scope %q", f[1])
	}
	if d.Place == OfMessage && strings.HasPrefix(d.Name, "/flags/") {
		return d, false, fmt.Errorf("message entry %q under /flags/", d.Name) // RFC 5257 section 3.2 keeps it
	}
	if d.Kind, ok = kindNames[strings.ToLower(f[2])]; !ok {
		return d, false, fmt.Errorf("invalid annotation type %q", f[2])
	}
	for w := range strings.FieldsSeq(strings.ToLower(f[3])) {
		switch w {
		case "backend", "proxy_and_backend":
			here = true
		case "proxy":
		default:
			return d, false, fmt.Errorf("invalid annotation proxy type %q", w)
		}
	}
	if err := d.attributes(f[4]); err != nil {
		return d, false, err
	}
	// A letter that is none is passed over, as in Cyrus.
	d.Rights, _ = acl.Parse(f[5])
	return d, here, nil
}

// checkName says whether an entry may be defined.
func checkName(name string) error {
	if strings.HasPrefix(name, Vendor) {
		return fmt.Errorf("annotation %q under %s", name, Vendor)
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune(".-_/:", rune(c)) {
			return fmt.Errorf("invalid character in %q", name)
		}
	}
	if !strings.HasPrefix(name, "/") {
		return fmt.Errorf("annotation %q does not begin with a slash", name)
	}
	return nil
}

// attributes reads which values there are. The sizes come with them; what the first
// drafts had beside is passed over.
func (d *Definition) attributes(words string) error {
	for w := range strings.FieldsSeq(strings.ToLower(words)) {
		switch w {
		case "value":
			d.Shared, d.Own = true, true
		case "value.shared":
			d.Shared = true
		case "value.priv":
			d.Own = true
		case "size", "size.shared", "size.priv",
			"modifiedsince", "modifiedsince.shared", "modifiedsince.priv",
			"content-type", "content-type.shared", "content-type.priv":
		default:
			return fmt.Errorf("invalid annotation attribute %q", w)
		}
	}
	return nil
}
