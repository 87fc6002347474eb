#pragma once
#include <string>
#include <vector>

#include "limbic/demo/canvas.h"

namespace limbic::demo {

/// Where and how large an object is painted.
struct ObjectPose {
  Point center{0.5, 0.5};
  double scale = 0.3;      ///< Half the object's side, as a part of the canvas.
  double angle = 0;        ///< Radians, clockwise on the screen.
  double deformation = 0;  ///< Stretches width against height, as a part: -0.2 ... 0.2.
};

/// The colours of an object: mixed by `tint_share` with `tint`, else its natural ones, varied.
struct ObjectColors {
  Color tint;
  double tint_share = 0.2;
};

/// The kinds that draw_object knows, in a fixed order.
const std::vector<std::string>& object_kinds();

/// Paints the object number `kind` of object_kinds() over a soft halo that lifts it from what is
/// already there.
void draw_object(Canvas& canvas, int64_t kind, const ObjectPose& pose, const ObjectColors& colors,
                 Random& random);

}  // namespace limbic::demo
