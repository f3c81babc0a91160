package cyradm

import (
	"fmt"
	"strings"
)

// Usage is one resource of a quota root. The numbers are the server's texts.
type Usage struct{ Resource, Used, Limit string }

// Root is a quota root.
type Root struct {
	Name  string
	Usage []Usage // empty without limits
}

// Quota returns the quota of a root.
func (a *Admin) Quota(root string) (Root, error) {
	r := Root{Name: root}
	err := a.referred(func(b *Admin, _ bool) error {
		return b.parsed("QUOTA", func(vs []value) { r.Usage = usage(vs) }, raw("GETQUOTA"), root)
	})
	return r, err
}

// QuotaRoots returns the roots that govern a mailbox, mostly one.
func (a *Admin) QuotaRoots(mailbox string) ([]Root, error) {
	var roots []Root
	err := a.referred(func(b *Admin, _ bool) error {
		var names []string
		use := make(map[string][]Usage)
		err := b.command(func(name, rest string) {
			vs, err := parseValues(rest)
			switch {
			case err != nil || len(vs) == 0:
			case name == "QUOTAROOT":
				for _, v := range vs[1:] {
					names = append(names, v.text)
				}
			case name == "QUOTA":
				use[vs[0].text] = usage(vs)
			}
		}, raw("GETQUOTAROOT"), mailbox)
		for _, n := range names {
			roots = append(roots, Root{n, use[n]})
		}
		return err
	})
	return roots, err
}

// usage reads the list in
//
//	root (STORAGE 10 2048 MESSAGE 3 100)
func usage(vs []value) []Usage {
	var out []Usage
	if len(vs) < 2 {
		return nil
	}
	for l := vs[1].items; len(l) >= 3; l = l[3:] {
		out = append(out, Usage{l[0].text, l[1].text, l[2].text})
	}
	return out
}

// Limit is how much of a resource a root may use. Storage is in units of 1024
// octets.
type Limit struct{ Resource, Value string }

// SetQuota sets the limits of a root to these and no others.
func (a *Admin) SetQuota(root string, limits []Limit) error {
	var list []string
	for _, l := range limits {
		switch {
		case !isAtom(l.Resource):
			return fmt.Errorf("%s: not an atom", l.Resource)
		case l.Value == "" || strings.Trim(l.Value, "0123456789") != "":
			return fmt.Errorf("%s: %s: not a number", l.Resource, l.Value)
		}
		list = append(list, l.Resource, l.Value)
	}
	return a.referred(func(b *Admin, _ bool) error {
		return b.command(nil, raw("SETQUOTA"), root, raw("("+strings.Join(list, " ")+")"))
	})
}
