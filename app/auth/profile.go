package auth

// Profile are the fields that say who a person is.
type Profile struct {
	Username  string `form:"username" label:"Username" autocomplete:"username" hint:"5 to 32 letters, digits, dots, underscores or hyphens." validate:"required,min=5,max=32,username"`
	FirstName string `form:"first_name" label:"First name" autocomplete:"given-name" validate:"required,max=100,wording"`
	LastName  string `form:"last_name" label:"Last name" autocomplete:"family-name" validate:"required,max=100,wording"`
}
