package cyradm

import (
	"errors"
	"strconv"
	"strings"
)

// listQuota shows a root's resources on one line. A root that is not there has
// an empty one, as has one that cannot be asked.
func listQuota(c *call) error {
	root, err := c.admin().Quota(c.args[0])
	if errors.Is(err, ErrLost) {
		return err
	}
	text := usageText(root.Usage)
	if err == nil && text == "" {
		text = "  /"
	}
	c.printf("%s\n", text)
	return nil
}

func listQuotaRoot(c *call) error {
	roots, err := c.admin().QuotaRoots(c.args[0])
	if errors.Is(err, ErrLost) {
		return err
	}
	var line strings.Builder
	for i, r := range roots {
		if i > 0 {
			line.WriteByte('\n')
		}
		line.WriteString(r.Name + usageText(r.Usage))
	}
	c.printf("%s\n", line.String())
	return nil
}

// usageText is " STORAGE 10/2048 (0.48828125%)" for each resource.
func usageText(list []Usage) string {
	var b strings.Builder
	for _, u := range list {
		b.WriteString(" " + u.Resource + " " + u.Used + "/" + u.Limit)
		used, err1 := strconv.ParseFloat(u.Used, 64)
		limit, err2 := strconv.ParseFloat(u.Limit, 64)
		if err1 == nil && err2 == nil && limit != 0 {
			// Fifteen digits, as programs in Perl print numbers.
			b.WriteString(" (" + strconv.FormatFloat(used*100/limit, 'g', 15, 64) + "%)")
		}
	}
	return b.String()
}

// setQuota takes resources with their limits, one number for storage, or none.
func setQuota(c *call) error {
	root, rest := c.args[0], c.args[1:]
	if len(rest) == 1 {
		if rest[0] == "none" {
			rest = nil
			c.printf("remove quota\n")
		} else {
			c.printf("quota:%s\n", rest[0])
			rest = []string{"STORAGE", rest[0]}
		}
	}
	if len(rest)%2 != 0 {
		return find("setquota").usageError()
	}
	if c.admin() == nil {
		return find("setquota").noServer()
	}
	var limits []Limit
	for ; len(rest) > 0; rest = rest[2:] {
		limits = append(limits, Limit{rest[0], rest[1]})
	}
	return of("setquota", c.admin().SetQuota(root, limits))
}
