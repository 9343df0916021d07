//! Who is at the other end, as far as the handshake and the tokens tell.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use visavis_protocol::token::Claims;
use visavis_protocol::{Features, Role};

use crate::access::creation::SharedCreations;
use crate::access::principal::{self, Admission, Principal};
use crate::access::proxy::Origin;
use crate::access::token::TokenRenewal;
use crate::clock::Now;
use crate::id::ClientId;
use crate::model::{ParticipantKind, Room};
use crate::refusal::{Refusal, display_name};
use crate::room::{Applicant, Pass};
use crate::rooms::RoomService;

/// LiveKit's name for one who takes part by telephone.
const BY_TELEPHONE: &str = "sip";

/// What the handshake said.
pub(crate) struct Caller {
    pub origin: Origin,
    /// Of `Authorization`.
    pub bearer: Option<String>,
    /// Of `X-User-Id`.
    pub user: Option<String>,
    /// The server's own STUN server, by the host that the client used.
    pub stun_url: Option<Arc<str>>,
    /// What its address created without authentication; `None` where rates do not
    /// apply to it.
    pub creations: Option<SharedCreations>,
    /// Cancelled when the connection ends while one of its messages is handled.
    pub hung_up: CancellationToken,
}

/// What a request says of the one who would come in.
pub(super) struct Visitor<'a> {
    pub client: ClientId,
    pub display_name: Option<&'a str>,
    pub features: Features,
    pub pass: Pass,
}

impl Caller {
    /// Who asks; a request's own token comes before the handshake's.
    pub(super) fn principal(
        &self,
        service: &RoomService,
        token: Option<&str>,
    ) -> Result<Principal, Refusal> {
        let config = &service.config;
        Ok(principal::identify(
            config.auth,
            self.origin,
            token.or(self.bearer.as_deref()),
            self.user.as_deref(),
            service.clock.now(),
            config.keys.as_ref(),
        )?)
    }
}

/// As what someone may join a room.
pub(super) fn admission(principal: &Principal, room: &Room) -> Result<Admission, Refusal> {
    Ok(principal::may_join(principal, &room.into())?)
}

/// As what someone is in a room of its own making.
pub(super) fn creator(principal: &Principal) -> Admission {
    let grant = claims(principal).and_then(|claims| claims.video.as_ref());
    Admission {
        role: grant.map_or(Role::Participant, |grant| grant.role()),
        grants: grant.map(|grant| grant.grants()).unwrap_or_default(),
    }
}

/// A token's identity and name come before what the request says.
pub(super) fn applicant(
    principal: &Principal,
    admission: Admission,
    visitor: Visitor<'_>,
) -> Applicant {
    let claims = claims(principal);
    let account = principal.account();
    let identity = claims.and_then(|claims| claims.sub.clone());
    let identity = identity.or_else(|| account.map(|account| account.to_string()));
    let name = claims.and_then(|claims| claims.name.as_deref());
    let name = name.or(visitor.display_name).unwrap_or_default();
    let grant = claims.and_then(|claims| claims.video.as_ref());
    let by_telephone = claims.is_some_and(|claims| claims.kind.as_deref() == Some(BY_TELEPHONE));
    Applicant {
        client: visitor.client,
        user: account.unwrap_or(visitor.client),
        identity: identity.unwrap_or_else(|| visitor.client.to_string()),
        name: display_name(name),
        role: admission.role,
        kind: match by_telephone {
            true => ParticipantKind::Phone,
            false => ParticipantKind::Video,
        },
        grants: admission.grants,
        speaks: grant.is_some_and(|grant| grant.can_publish == Some(true)),
        pass: visitor.pass,
        hidden: grant.is_some_and(|grant| grant.hidden),
        metadata: claims
            .and_then(|claims| claims.metadata.clone())
            .unwrap_or_default(),
        features: visitor.features,
        secret: rand::random(),
    }
}

/// The renewal of the token that someone brings.
pub(super) fn token_renewal(principal: &Principal, now: Now) -> Option<TokenRenewal> {
    claims(principal).map(|claims| TokenRenewal::of(claims, now))
}

fn claims(principal: &Principal) -> Option<&Claims> {
    match principal {
        Principal::Token(claims) => Some(claims),
        Principal::User(_) | Principal::Open { .. } => None,
    }
}
