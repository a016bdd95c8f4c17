//! What was found.

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal),+ $(,)?) => {
        /// What a secret is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $kind),+ }

        impl Kind {
            /// All there are.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),+];

            /// As it stands in a mask.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name),+ }
            }

            /// What replaces a secret.
            #[must_use]
            pub const fn mask(self) -> &'static str {
                match self { $(Kind::$kind => concat!("[redacted:", $name, "]")),+ }
            }
        }
    };
}

kinds! {
    /// An exchange's key, or what a name calls a key.
    ApiKey = "api_key",
    /// What a name calls a secret.
    Secret = "secret",
    /// A password, a passphrase, a one-time code.
    Password = "password",
    /// What a name calls a token.
    Token = "token",
    /// A header that authorizes, or what it says.
    Authorization = "authorization",
    /// Cookies.
    Cookie = "cookie",
    /// A private key: PEM, WIF, an extended key, a number beside such words.
    PrivateKey = "private_key",
    /// The words of a wallet.
    SeedPhrase = "seed_phrase",
    /// What a request is signed with.
    Signature = "signature",
    /// The name of a user's stream.
    ListenKey = "listen_key",
    /// A JSON web token.
    Jwt = "jwt",
    /// An URL that lets whoever knows it write.
    Webhook = "webhook",
    /// A key of AWS.
    AwsKey = "aws_key",
    /// A token of GitHub.
    GithubToken = "github_token",
    /// A token of GitLab.
    GitlabToken = "gitlab_token",
    /// A token of Slack.
    SlackToken = "slack_token",
    /// A bot's token of Telegram.
    TelegramToken = "telegram_token",
    /// A bot's token of Discord.
    DiscordToken = "discord_token",
    /// A key or token of Google.
    GoogleKey = "google_key",
    /// A key of Stripe, or of a webhook of theirs.
    StripeKey = "stripe_key",
    /// A key of a model's provider.
    ModelKey = "model_key",
    /// A token of a package registry.
    RegistryToken = "registry_token",
    /// A token of another service that is known by its beginning.
    ServiceToken = "service_token",
    /// What the user's names of keys say.
    Key = "key",
    /// What the user's patterns match.
    Pattern = "pattern",
}

/// What is to be thought of a value by the name of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: its text decides.
    Open,
    /// Secret when it looks like a credential.
    Perhaps(Kind),
    /// Secret, whatever it is.
    Secret(Kind),
}
