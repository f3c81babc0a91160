package delivery

import (
	"strings"

	"gocyrus/lib/charset"
	"gocyrus/lib/mboxname"
)

// Address is the address of a recipient, taken apart: a user and perhaps a
// folder of his behind a "+", or without a user a shared folder.
type Address struct {
	User   string   // userid; empty for a shared folder
	Domain string   // of a shared folder, with virtual domains
	Folder []string // components of the detail, in modified UTF-7
}

// address reads a mailbox of an envelope, "alice+Work@example.org". Its detail
// is in external separators, in modified UTF-7 or else in UTF-8. A quoted local
// part is taken with its quotes, which no user has: as in Cyrus.
func (d *Deliverer) address(addr string) (a Address) {
	local, domain := addr, ""
	if at := strings.LastIndexByte(addr, '@'); at >= 0 {
		local, domain = addr[:at], addr[at+1:]
	}
	ns := d.site.Namespace
	if ns.Virtual == mboxname.VirtualOff || domain == ns.DefaultDomain {
		domain = ""
	}
	user, detail, _ := strings.Cut(local, "+")
	if d.opts.Downcase {
		user, domain = strings.ToLower(user), strings.ToLower(domain)
	}
	a.Folder = components(detail, ns.Sep())
	if user == d.opts.PostUser || user == "" {
		a.Domain = domain
		return a
	}
	a.User = user
	if domain != "" {
		a.User += "@" + domain
	}
	return a
}

func components(detail string, sep byte) []string {
	if detail == "" {
		return nil
	}
	if !isUTF7(detail) {
		encoded, err := charset.EncodeUTF7(detail)
		if err == nil {
			detail = encoded
		}
	}
	return strings.FieldsFunc(detail, func(r rune) bool { return r == rune(sep) })
}

// isUTF7 says whether s has a shifted sequence of modified UTF-7, which is then
// not encoded again.
func isUTF7(s string) bool {
	_, after, ok := strings.Cut(s, "&")
	end := strings.IndexFunc(after, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' || r == '+' || r == ',')
	})
	return ok && end >= 0 && after[end] == '-'
}

// Top is the mailbox that must be there for the address to be good: the user's
// INBOX, or the shared folder itself.
func (a Address) Top() mboxname.Name {
	if a.User != "" {
		return mboxname.Inbox(a.User)
	}
	return a.Mailbox()
}

// Mailbox is the mailbox that the address names, folder included. It is empty
// for an address that names neither.
func (a Address) Mailbox() mboxname.Name {
	if a.User == "" {
		if len(a.Folder) == 0 {
			return ""
		}
		n := mboxname.Name(strings.ReplaceAll(a.Folder[0], ".", "^"))
		if a.Domain != "" {
			n = mboxname.Name(a.Domain) + "!" + n
		}
		return below(n, a.Folder[1:])
	}
	return below(mboxname.Inbox(a.User), a.Folder)
}

func below(n mboxname.Name, folder []string) mboxname.Name {
	for _, c := range folder {
		n = n.Child(c)
	}
	return n
}
