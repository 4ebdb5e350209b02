package apptest

// What people read, where more than one test wants it.
const (
	AtLeast5             = "Use at least 5 characters."
	AtLeast8             = "Use at least 8 characters."
	AtMost32             = "Use at most 32 characters."
	AtMost100            = "Use at most 100 characters."
	AtMost128            = "Use at most 128 characters."
	AtMost254            = "Use at most 254 characters."
	PlainUsername        = "Use only letters a to z, digits, dots, underscores and hyphens."
	WantsAddress         = "Enter an e-mail address such as name@example.com."
	OddCharacter         = "This holds a character that cannot be used here."
	TooCommon            = "This password is on lists of commonly used ones. Choose another."
	Personal             = "Do not use your own name, username or e-mail in the password."
	Unreadable           = "The password contains characters that cannot be read. Type it again."
	PasswordsDiffer      = "The two passwords differ."
	TakenUsername        = "This username is already taken."
	TakenEmail           = "There is already an account with this e-mail."
	WrongSignIn          = "The e-mail, username or password is wrong."
	WrongPassword        = "This is not your current password."
	WantsCurrentPassword = "Enter your current password."
)

// The subjects of mail.
const (
	VerifySubject      = "Confirm your e-mail address"
	ChangeSubject      = "Confirm your new e-mail address"
	ChangedSubject     = "Your e-mail address was changed"
	ResetSubject       = "Choose a new password"
	WasResetSubject    = "Your password was reset"
	NewPasswordSubject = "Your password was changed"
	NewBrowserSubject  = "New sign-in to your account"
)
