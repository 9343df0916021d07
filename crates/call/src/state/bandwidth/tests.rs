mod feedback;
mod hostile;
mod network;
mod steady;
mod varying;
