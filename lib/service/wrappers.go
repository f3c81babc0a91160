package service

import (
	"bufio"
	"bytes"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"gocyrus/lib/log"
)

// Access is a pair of hosts_access(5) files, the TCP wrappers that Cyrus is
// built with on Debian. Their daemon names are entry names of cyrus.conf.
//
// Rules, lists, EXCEPT, the ALLOW and DENY options and every pattern but NIS
// netgroups are understood. Options that run commands (spawn, twist) are not
// carried out.
type Access struct{ Allow, Deny string }

// SystemAccess is where the files are.
var SystemAccess = Access{"/etc/hosts.allow", "/etc/hosts.deny"}

// maxAccess bounds what is read of a file.
const maxAccess = 1 << 20

// Permits says whether daemon may serve the client at ip. The name is asked
// for only when a rule needs it; it is empty when the client has none. A file
// that is not there grants, one that cannot be read grants too: so does
// tcp_wrappers.
func (a Access) Permits(daemon string, ip netip.Addr, name func() string) bool {
	q := &query{daemon: daemon, ip: ip.WithZone(""), name: name}
	if matched, allow := q.file(a.Allow, true); matched {
		return allow
	}
	if matched, allow := q.file(a.Deny, false); matched {
		return allow
	}
	return true
}

// query is one question put to the files.
type query struct {
	daemon string
	ip     netip.Addr
	name   func() string
}

// file looks for the first rule that matches; verdict is what a match means
// unless an option of the rule says otherwise.
func (q *query) file(path string, verdict bool) (matched, allow bool) {
	data, err := readBounded(path)
	if err != nil {
		return false, false
	}
	data = bytes.ReplaceAll(data, []byte("\\\n"), nil)
	for line := range linesOf(data) {
		rule := strings.TrimSpace(string(line))
		if rule == "" || rule[0] == '#' {
			continue
		}
		f := splitColons(rule)
		if len(f) < 2 {
			log.Warning("warning: %s: missing \":\" separator", path)
			continue
		}
		if q.list(f[0], q.daemonMatches) && q.list(f[1], q.clientMatches) {
			return true, option(f[2:], verdict)
		}
	}
	return false, false
}

// option reads the ALLOW and DENY of a rule's options.
func option(options []string, verdict bool) bool {
	for _, o := range options {
		switch strings.ToLower(strings.TrimSpace(o)) {
		case "allow":
			return true
		case "deny":
			return false
		}
	}
	return verdict
}

// splitColons splits a rule at colons that are neither escaped nor part of a
// bracketed IPv6 address.
func splitColons(rule string) []string {
	var out []string
	var field strings.Builder
	depth := 0
	for i := 0; i < len(rule); i++ {
		switch c := rule[i]; {
		case c == '\\' && i+1 < len(rule) && rule[i+1] == ':':
			i++
			field.WriteByte(':')
		case c == ':' && depth == 0:
			out = append(out, field.String())
			field.Reset()
		default:
			switch c {
			case '[':
				depth++
			case ']':
				depth = max(depth-1, 0)
			}
			field.WriteByte(c)
		}
	}
	return append(out, field.String())
}

// list matches "a b EXCEPT c d": something before EXCEPT and nothing of the
// list after it.
func (q *query) list(text string, match func(string) bool) bool {
	return matchList(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }), match)
}

func matchList(words []string, match func(string) bool) bool {
	for i, w := range words {
		if strings.EqualFold(w, "EXCEPT") {
			return false
		}
		if !match(w) {
			continue
		}
		for j := i + 1; j < len(words); j++ {
			if strings.EqualFold(words[j], "EXCEPT") {
				return !matchList(words[j+1:], match)
			}
		}
		return true
	}
	return false
}

func (q *query) daemonMatches(pattern string) bool {
	pattern, _, _ = strings.Cut(pattern, "@")
	return strings.EqualFold(pattern, "ALL") || strings.EqualFold(pattern, q.daemon)
}

func (q *query) clientMatches(pattern string) bool {
	if i := strings.LastIndexByte(pattern, '@'); i > 0 {
		pattern = pattern[i+1:] // user@host: identd is not asked
	}
	switch strings.ToUpper(pattern) {
	case "":
		return false
	case "ALL":
		return true
	case "KNOWN":
		return q.name() != ""
	case "UNKNOWN", "PARANOID":
		// A name that does not lead back is no name to us.
		return q.name() == ""
	case "LOCAL":
		n := q.name()
		return n != "" && !strings.Contains(n, ".")
	}
	switch {
	case pattern[0] == '.':
		n := strings.ToLower(q.name())
		return n != "" && strings.HasSuffix(n, strings.ToLower(pattern))
	case pattern[0] == '/':
		return q.listed(pattern)
	case strings.HasSuffix(pattern, "."):
		return q.ip.Is4() && strings.HasPrefix(q.ip.String(), pattern)
	}
	if net, ok := network(pattern); ok {
		return net.Contains(q.ip)
	}
	return !strings.ContainsAny(pattern, "/[") && strings.EqualFold(pattern, q.name())
}

// listed reads a file of patterns.
func (q *query) listed(path string) bool {
	data, err := readBounded(path)
	if err != nil {
		return false
	}
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Split(bufio.ScanWords)
	for sc.Scan() {
		if p := sc.Text(); p[0] != '/' && q.clientMatches(p) {
			return true
		}
	}
	return false
}

// network reads "127.0.0.1", "10.0.0.0/8", "10.0.0.0/255.0.0.0",
// "[2001:db8::]/32" and "[::1]".
func network(pattern string) (netip.Prefix, bool) {
	host, bits, masked := strings.Cut(pattern, "/")
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}, false
	}
	n := ip.BitLen()
	if masked {
		if n, err = strconv.Atoi(bits); err != nil {
			m, err := netip.ParseAddr(bits)
			if err != nil || m.BitLen() != ip.BitLen() {
				return netip.Prefix{}, false
			}
			n = ones(m)
		}
	}
	p, err := ip.WithZone("").Prefix(n)
	return p, err == nil
}

// ones counts the leading ones of a mask.
func ones(mask netip.Addr) int {
	n := 0
	for _, b := range mask.AsSlice() {
		for ; b&0x80 != 0; b <<= 1 {
			n++
		}
	}
	return n
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxAccess))
}

// permitted asks the TCP wrappers about a client; Unix sockets always are.
func (w *worker) permitted(c *client) bool {
	if !c.ip.IsValid() {
		return true
	}
	ok := SystemAccess.Permits(w.env.service, c.ip, func() string {
		name, _, _ := strings.Cut(c.wait(), " ")
		if name == c.addr {
			return ""
		}
		return name
	})
	if !ok {
		log.Err("refused connection from %s", c.wait())
	}
	return ok
}
