"""Random views of images, batched, with parameters per sample (interface: :class:`Views`)."""

from data.images.views.view_set import Views as Views
