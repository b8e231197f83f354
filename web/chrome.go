package web

// Chrome is what surrounds every page.
type Chrome struct {
	Nav     []Link // the pages that the reader may open
	Menu    []Link // further ones, in a menu beside them
	Places  []Link // further addresses that the palette offers
	User    string // empty: nobody is signed in
	SignOut string // address of the form that signs out; empty: there is none
	Token   string // the form token of the session; empty: forms need none
	Find    string // address that finds experiments for the palette; empty: there is none
}

// Link is one entry of the navigation.
type Link struct {
	Text    string
	URL     string
	Current bool   // the page shown belongs to it
	Key     string // pressed after g it leads there; empty: none does
}

// SignInView is the sign-in page.
type SignInView struct {
	Chrome
	Action string // address that takes name and password
	Next   string // where to go afterwards
	Token  string // that the link brought; empty: ask for it
	Name   string // as typed before, when Error is set
	Error  string // a sentence; empty: first try
}

// ProblemView is a page that says what went wrong, in the words of an
// RFC 9457 problem.
type ProblemView struct {
	Chrome
	Status    int
	Title     string
	Detail    string
	Faults    []ProblemFault // instead of Detail, when fields are to blame
	RequestID string         // shown so that a person can quote it; empty: nothing to report
	Back      Link           // where to go on; no URL: none is offered
	Sent      bool           // a form was sent, from the page of Back
}

// ProblemFault is what is wrong with one field; Field may be empty.
type ProblemFault struct{ Field, Message string }
