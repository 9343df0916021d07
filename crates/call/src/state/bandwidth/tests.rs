mod feedback;
mod hostile;
mod network;
mod steady;
mod uplink;
mod varying;
