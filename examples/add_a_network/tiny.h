#pragma once
#include "limbic/limbic.hpp"

namespace limbic {

/// The networks that docs/add_a_network.md declares: of blocks with a shortcut, and of blocks with
/// branches.
extern const models::Architecture tiny, tiny_inception;

}  // namespace limbic
