// GraphiQL's build sets this global, and makes it by `eval` where nobody declared it: the page's
// policy allows none.
var regeneratorRuntime;
