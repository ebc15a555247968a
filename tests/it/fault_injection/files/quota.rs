//! A real quota that is used up: with any amount left, a valid answer stays valid.

use super::mount_namespace::Disk;
use super::{
    Case, Claim, Ground, User, VARIABLE, case, check_files, token, tries, try_case, world,
};

/// Uses up the whole quota. The accounting is coarse, so small files may still fit after the large
/// one.
pub(super) const USED_UP: &str = "dd if=/dev/zero of=$H/full bs=4k 2>/dev/null || :
    while touch $H/full.$((n=n+1)) 2>/dev/null && [ $n -lt 1000 ]; do :; done; own $H/full*; sync -f $H\n";

const QUOTAS: &[Case] = &[
    case("used up", "").served().warns("quota exceeded"),
    case("used up, no lock yet", "rm $L;")
        .served()
        .warns("quota exceeded"),
    case("used up, no cache yet", "rm -r $C;")
        .missed()
        .warns("quota exceeded"),
];

#[test]
fn a_quota_that_is_used_up_costs_a_warning_and_never_the_answer() {
    let claim = Claim::that(
        "A real quota (btrfs) that is used up, or has a few KiB left, causes at most one \
         warning; the token is still returned, and no partial entry is left",
    );
    let world = world();
    for (user, other) in [(User::Root, 1), (User::Ordinary, 0)] {
        for (number, case) in QUOTAS.iter().enumerate() {
            // A short test uses every other case for each of them.
            if tries(1, 2) == 1 && number % 2 == other {
                continue;
            }
            let Some(ground) = Ground::on(Disk::Quota, &world, user) else {
                return;
            };
            let scene = format!("{}{USED_UP}", case.scene);
            let case = Case {
                scene: scene.leak(),
                ..*case
            };
            claim.holds(|| try_case(&ground, user, &case));
        }
    }
    for left in (4..=128).step_by(tries(60, 4)) {
        let Some(ground) = Ground::on(Disk::Quota, &world, User::Ordinary) else {
            return;
        };
        let story = format!("{left} KiB are left");
        let nowhere = ground.remember();
        let (first, _) = token(ground.ends(ground.run("", "token", &nowhere)));
        let places = ground.remember();
        ground.scene(&format!(
            "dd if=/dev/zero of=$H/left bs=1k count={left} 2>/dev/null
             {USED_UP}rm $H/left; sync -f $H"
        ));
        let before = ground.files(places.of("H"));
        claim.holds(|| {
            let (second, warned) = token(ground.ends(ground.run("", "token --refresh", &places)));
            let (third, warned_third) = token(ground.ends(ground.run("", "token", &places)));

            assert_ne!(second, first, "{story}");
            for warned in [&warned, &warned_third] {
                assert!(warned.lines().count() <= 1, "{story}: {warned}");
                let is_told = warned.contains("quota exceeded") && warned.contains(VARIABLE);
                assert!(warned.is_empty() || is_told, "{story}: {warned}");
            }
            assert!(
                !warned.is_empty() || third == second,
                "{story}: the token is cached"
            );
            check_files(&ground, &places, &before, &story);
        });
    }
}
