package cyradm

import (
	"fmt"
	"path"
	"strings"
)

const vendor = "/vendor/cmu/cyrus-imapd/"

// Words that may stand for entries: of a mailbox, whose scope is said apart; of
// the server; and with the scope that setmetadata gives them.
var (
	mailboxWords = map[string]string{
		"comment": "/comment", "expire": vendor + "expire", "news2mail": vendor + "news2mail",
		"pop3showafter": vendor + "pop3showafter", "sharedseen": vendor + "sharedseen",
		"sieve": vendor + "sieve", "squat": vendor + "squat",
	}
	serverWords = map[string]string{
		"comment": "/comment", "motd": "/motd", "admin": "/admin",
		"shutdown": vendor + "shutdown", "expire": vendor + "expire", "squat": vendor + "squat",
	}
	scopedWords = map[string]string{
		"comment": "/private/comment", "expire": "/shared" + vendor + "expire", "news2mail": "/shared" + vendor + "news2mail",
		"pop3showafter": "/shared" + vendor + "pop3showafter", "sharedseen": "/shared" + vendor + "sharedseen",
		"sieve": "/shared" + vendor + "sieve", "specialuse": "/private/specialuse", "squat": "/shared" + vendor + "squat",
	}
)

// entryName finds a word's entry. A name is one already.
func entryName(words map[string]string, w string) (string, error) {
	if name, ok := words[w]; ok {
		return name, nil
	}
	if strings.HasPrefix(w, "/") {
		return w, nil
	}
	return "", fmt.Errorf("Unknown parameter %s", w) //lint:ignore ST1005 the words of old
}

// setting is a value to set: none means to delete, as no value does.
func setting(words []string) *string {
	if len(words) == 0 {
		return nil
	}
	v := strings.Join(words, " ")
	if v == "none" {
		return nil
	}
	return &v
}

// info shows the entries of a mailbox or the server, all or those named without
// their scope.
func info(c *call) error {
	var names []string
	for i, w := range c.args {
		if i > 0 {
			names = append(names, "/private"+w, "/shared"+w)
		}
	}
	return c.showMetadata(names)
}

func getMetadata(c *call) error {
	var names []string
	for i, w := range c.args {
		if i == 0 {
			continue
		}
		if name, ok := scopedWords[w]; ok {
			w = name
		}
		names = append(names, w)
	}
	return c.showMetadata(names)
}

// showMetadata prints entries under their mailbox and scope, each by the last
// part of its name.
func (c *call) showMetadata(names []string) error {
	entries, err := c.admin().Metadata(c.arg(0), names)
	if err != nil {
		return err
	}
	var box, scope string
	for i, e := range entries {
		if i == 0 || e.Mailbox != box {
			box, scope = e.Mailbox, ""
			if box == "" {
				c.printf("{Server Wide}\n")
			} else {
				c.printf("{%s}:\n", box)
			}
		}
		now := "shared"
		if strings.HasPrefix(e.Name, "/private") {
			now = "private"
		}
		if now != scope {
			scope = now
			c.printf("  %s:\n", scope)
		}
		c.printf("    %s: %s\n", path.Base(e.Name), e.Value)
	}
	return nil
}

func mboxConfig(c *call) error {
	name, err := entryName(mailboxWords, c.args[1])
	if err != nil {
		return of("mboxconfig", err)
	}
	scope := "/shared"
	if c.has("private") {
		scope = "/private"
	}
	return of("mboxconfig", c.admin().SetMetadata(c.args[0], scope+name, setting(c.args[2:])))
}

func setMetadata(c *call) error {
	name, err := entryName(scopedWords, c.args[1])
	if err != nil {
		return of("setmetadata", err)
	}
	if rest, ok := strings.CutPrefix(name, "/shared/"); ok && c.has("private") {
		name = "/private/" + rest
	}
	return of("setmetadata", c.admin().SetMetadata(c.args[0], name, setting(c.args[2:])))
}

func setInfo(c *call) error {
	name, err := entryName(serverWords, c.args[0])
	if err != nil {
		return of("setinfo", err)
	}
	return of("setinfo", c.admin().SetMetadata("", "/shared"+name, setting(c.args[1:])))
}
