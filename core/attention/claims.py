"""The claims of post 7546 as experiments.

Source: https://kexue.fm/archives/7546
"""

from core.claims import Claim

CLAIMS: tuple[Claim, ...] = ()
